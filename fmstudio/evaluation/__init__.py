"""How good an adapter is, and how sure: metrics, calibration, conformal sets, baselines."""
