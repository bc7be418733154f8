"""The networks, one a file. Each is a functional Keras model with exact `get_config`."""

from sodkeras.models.base import InferenceModel, SaliencyModel
from sodkeras.models.cii import CII
from sodkeras.models.csf_resnet import CSFResNet
from sodkeras.models.csnet import CSNet
from sodkeras.models.dnl import DNL
from sodkeras.models.u2net import U2Net

#: Every network by its class name.
MODELS = {"CII": CII, "CSFResNet": CSFResNet, "CSNet": CSNet, "DNL": DNL, "U2Net": U2Net}

__all__ = ["CII", "DNL", "MODELS", "CSFResNet", "CSNet", "InferenceModel", "SaliencyModel", "U2Net"]
