"""Facts that stand in more than one place: story texts name them as {{fact}}, questions read them here.

Money is in euros unless the name says otherwise. `{{rent_new|de}}` writes 1.465,00 as a German letter
would, `|fr` with an unbreakable space, `|en` as 1,465.00; without a mark the value is written as it is.
"""

FACTS = {
    # The flats
    "new_address": "Am Alten Speicher 5",
    "rent_old": 1080.00,
    "rent_cold": 1140.00,
    "rent_new": 1465.00,
    "rent_2027": 1492.00,
    "deposit_new": 3420.00,
    "deposit_old": 1860.00,
    "deposit_kept": 140.00,
    "meter_old": 48213,
    "meter_new": 10877,
    "movers_quote": 1180.00,
    "movers_final": 1290.00,
    "kitchen_first": 6850.00,
    "kitchen_final": 7240.00,
    # Work
    "moreau_1": 4820.00,
    "moreau_2": 7245.00,
    "moreau_3": 2960.00,
    "budget_first_usd": 410000,
    "budget_final_usd": 385000,
    "visitors": 11340,
    # School and children
    "hort_old": 96.00,
    "hort_new": 108.00,
    "trip_fee": 185.00,
    "nele_old": 12.00,
    "nele_new": 14.00,
    # Club
    "fee_2025": 240.00,
    "fee_2026": 264.00,
    # Health
    "ferritin_1": 18,
    "ferritin_2": 41,
    "vitamin_d": 22,
    # Trip
    "gite_total": 1340.00,
    "gite_deposit": 402.00,
    # Car, cat, contracts
    "garage_1": 438.60,
    "garage_2": 612.40,
    "tyres": 86.00,
    "policy": "NL-HR-447120",
    "chip": "276 0999 0001 4471",
    "plate": "B-IC 0000",
}

HAVELSTROM = {  # month: monthly statement, new flat
    "2026-04": 71.20, "2026-05": 68.45, "2026-06": 64.10, "2026-07": 41.85,
    "2026-08": 59.90, "2026-09": 66.35, "2026-10": 78.45,
}
FACTS |= {f"power_{month.replace('-', '_')}": amount for month, amount in HAVELSTROM.items()}


def money(value, language):
    text = f"{value:,.2f}" if isinstance(value, float) else f"{value:,}"
    if language == "en":
        return text
    swap = {"de": {",": ".", ".": ","}, "fr": {",": "\u00a0", ".": ","}}[language]
    return "".join(swap.get(char, char) for char in text)


def short(value):
    """1465.0 → 1465; 438.6 → 438.60."""
    if isinstance(value, float):
        return str(int(value)) if value == int(value) else f"{value:.2f}"
    return str(value)


def fill(text):
    """Replaces every {{fact}} or {{fact|language}}."""
    out, rest = [], text
    while "{{" in rest:
        before, after = rest.split("{{", 1)
        name, rest = after.split("}}", 1)
        name, _, language = name.partition("|")
        value = FACTS[name]
        out += [before, money(value, language) if language else short(value)]
    return "".join(out) + rest
