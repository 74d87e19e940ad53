"""Reads what `polymath disclose` writes with the libraries of those forms.

    python golden/check_forms.py POLYMATH RUN_DIR      # needs PyYAML and spdx-python-model

The SPDX document is read and written again by the bindings generated from the published model, which refuse unknown
properties, wrong values and missing required ones; that they do is tried on damaged copies. The model card's front
matter is read as YAML.
"""

import copy
import io
import json
import subprocess
import sys

import yaml
from spdx_python_model import v3_0_1 as spdx

program, run_dir = sys.argv[1:]


def disclose(form):
    done = subprocess.run([program, "disclose", run_dir, "--format", form], capture_output=True, text=True, check=True)
    return done.stdout


def read(document):
    objects = spdx.SHACLObjectSet()
    spdx.JSONLDDeserializer().read(io.BytesIO(json.dumps(document).encode()), objects)
    objects.create_index()
    assert not objects.link(), "references to elements that are not there"
    spdx.JSONLDSerializer().write(objects, io.BytesIO())
    return objects


facts = json.loads(disclose("json"))
document = json.loads(disclose("spdx"))
(model,) = [o for o in read(document).objects if type(o).__name__ == "ai_AIPackage"]
kwh = model.ai_energyConsumption.ai_trainingEnergyConsumption[0].ai_energyQuantity
assert kwh == facts["energy"]["kwh_at_meter"]["value"], kwh


def package(document):
    return next(element for element in document["@graph"] if element["type"] == "ai_AIPackage")


for damage in (
    lambda d: package(d).update(ai_nonsense=1),
    lambda d: package(d).pop("creationInfo"),
    lambda d: package(d)["ai_energyConsumption"]["ai_trainingEnergyConsumption"][0].update(ai_energyUnit="joules"),
):
    damaged = copy.deepcopy(document)
    damage(damaged)
    try:
        read(damaged)
    except Exception:
        continue
    raise SystemExit("the reader accepts a damaged document: this check proves nothing")

front = yaml.safe_load(disclose("hf").split("---")[1])
assert front["co2_eq_emissions"]["emissions"] == facts["energy"]["co2e_g"]["value"]
assert front["license"] == facts["identity"]["licence"]["value"]
print("SPDX and model card are read by their own libraries; energy and emissions agree with the JSON form")
