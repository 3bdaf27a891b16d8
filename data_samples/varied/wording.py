"""Words of the wards: diseases, drugs, complaints, plans, things seen on examination."""

from __future__ import annotations


def _of(**groups: str) -> dict[str, tuple[str, ...]]:
    return {name: tuple(words.split("|")) for name, words in groups.items()}


DISEASES = _of(
    heart_failure="heart failure|CHF|congestive cardiac failure|HFrEF|cardiomyopathy",
    pneumonia="pneumonia|CAP|lower respiratory tract infection|chest infection",
    obstruction="COPD|asthma|obstructive airway disease|bronchial asthma|emphysema",
    sepsis="sepsis|bacteraemia|septic shock|urosepsis",
    arrhythmia="atrial fibrillation|AF|paroxysmal arrhythmia|afib",
    valve="aortic stenosis|mitral regurgitation|valvular heart disease|VSD|mitral valve prolapse",
    diabetes="diabetes mellitus|T2DM|type 1 diabetes|DM|diabetes with neuropathy",
    low_mood="depression|major depressive disorder|MDD|low mood with insomnia",
    trauma="fall|road traffic accident|rib fractures|polytrauma",
    kidney="chronic kidney disease|CKD|renal failure|AKI|diabetic nephropathy",
    malignancy="lung cancer|metastatic carcinoma|malignancy|lymphoma",
    stroke="stroke|CVA|intracerebral haemorrhage|TIA",
)
DRUGS = _of(
    heart_failure="furosemide|bisoprolol|ramipril|spironolactone|sacubitril/valsartan|torasemide",
    pneumonia="amoxicillin|ceftriaxone|azithromycin|doxycycline|levofloxacin",
    obstruction="salbutamol|fluticasone|tiotropium|montelukast|prednisolone|salmeterol inhaler",
    sepsis="meropenem|piperacillin/tazobactam|noradrenaline|vancomycin",
    arrhythmia="apixaban|warfarin|amiodarone|metoprolol|rivaroxaban",
    valve="aspirin|bisoprolol|warfarin",
    diabetes="metformin|insulin glargine|insulin aspart|empagliflozin|acarbose|gliclazide|liraglutide|Novolin R",
    low_mood="sertraline|escitalopram|mirtazapine|venlafaxine|quetiapine",
    trauma="paracetamol|ibuprofen|tramadol|enoxaparin",
    kidney="sevelamer|erythropoietin|calcitriol|olmesartan",
    malignancy="cisplatin|morphine|dexamethasone|ondansetron",
    stroke="clopidogrel|atorvastatin|aspirin",
    any="pantoprazole|atorvastatin|amlodipine|levothyroxine|vitamin D|folic acid|iron|omeprazole|aspirin|mecobalamin|calcium|benidipine|ibuprofen",
)
COMPLAINTS = _of(
    heart_failure="shortness of breath on exertion|orthopnoea and leg swelling|SOB and ankle oedema",
    pneumonia="fever and productive cough|cough with green sputum|fever, chills and pleuritic pain",
    obstruction="wheezing and chest tightness|acute asthma attack|worsening dyspnoea",
    bronchiolitis="runny nose and fast breathing|poor feeding and wheeze",
    colic="inconsolable crying|crying in the evening",
    sepsis="fever and confusion|rigors and hypotension",
    arrhythmia="palpitations|a racing heart|an irregular pulse",
    valve="a heart murmur|dizziness on exertion|exertional syncope",
    diabetes="polyuria and thirst|poor glucose control|a foot ulcer|blurred vision",
    low_mood="low mood and poor sleep|loss of interest|tiredness",
    trauma="a fall from standing|injury to the chest|pain after a car accident",
    kidney="reduced urine output|rising creatinine|fatigue and itching",
    liver="jaundice|abdominal distension", anaemia="pallor and tiredness|fatigue",
    malignancy="weight loss|haemoptysis|a lump", stroke="sudden left-sided weakness|slurred speech|facial droop",
    pneumothorax="sudden chest pain|acute breathlessness",
    any="a routine check|follow-up|headache|back pain|a pre-operative assessment|abdominal pain|a rash",
)  # fmt: skip
PLANS = _of(
    heart_failure="IV diuretics|fluid restriction|echo|daily weights",
    pneumonia="IV antibiotics|sputum culture|repeat CXR|oxygen",
    obstruction="nebulisers|steroids|spirometry", sepsis="fluids and vasopressors|blood cultures|ICU review",
    arrhythmia="rate control|anticoagulation|24 h Holter", valve="echocardiogram|cardiology referral",
    diabetes="adjust insulin|diabetic education|check HbA1c", low_mood="start SSRI|psychiatry review|sleep hygiene",
    trauma="analgesia|trauma CT|orthopaedic review", kidney="renal ultrasound|avoid nephrotoxics|nephrology consult",
    stroke="CT head|swallow test|physiotherapy", malignancy="biopsy|staging CT|oncology referral",
    any="follow up in clinic|observe|discharge home|bloods in the morning|mobilise|continue current medication|return if worse",
)  # fmt: skip
EXAM = tuple(
    "Abdomen soft, non-tender.|Alert and oriented.|No peripheral oedema.|Skin warm and dry.|Neuro grossly intact.|"
    "Eating and drinking well.|Family updated at bedside.|Pain controlled.|IV access in place.|Slept poorly.|"
    "Bowels open.|Vitals charted.|Pupils equal.|No lymphadenopathy.|Mucous membranes moist.|Mobilising with help.|"
    "Dressing changed, wound clean.|Catheter draining clear urine.|Refused breakfast.|Seen by physiotherapy.".split("|")
)  # fmt: skip
MEALS = tuple(
    "rice and vegetables|steamed bread|fried egg|milk and oats|noodle soup|chicken with potatoes|apple|"
    "fish with tofu|yoghurt|lentil stew|coarse grain bread|pasta with tomato sauce|boiled cabbage|porridge".split("|")
)
