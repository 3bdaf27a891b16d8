"""Foundation Model Studio: adapt one shared multimodal model to your own patients."""

__version__ = "0.1.0"
