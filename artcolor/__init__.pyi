# The public names of artcolor, and where each lives. The builders of models and their weights stand between the marks;
# scripts/update_tables.py writes them.

from .data.dataset import ArtDataset as ArtDataset, Augmentation as Augmentation
from .engine.colorizer import Colorizer as Colorizer, colorize as colorize
from .engine.result import save as save
from .engine.session import Session as Session
from .errors import ArtcolorError as ArtcolorError
from .models.guidance import Decoding as Decoding, Guidance as Guidance
from .models.registry import (
    from_pretrained as from_pretrained,
    get_model as get_model,
    get_model_weights as get_model_weights,
    get_weight as get_weight,
    list_models as list_models,
    save_weights as save_weights,
)
from .train.config import TrainConfig as TrainConfig
from .train.trainer import Trainer as Trainer

# <!-- models -->
from .models.ae import AE_Weights as AE_Weights, ae as ae
from .models.cic import CIC_Weights as CIC_Weights, cic as cic
from .models.cnn import CNN_Weights as CNN_Weights, cnn as cnn
from .models.splitbrain import SplitBrain_Weights as SplitBrain_Weights, splitbrain as splitbrain
from .models.student_report import AEReport_Weights as AEReport_Weights, ae_report as ae_report
from .models.student_report import CNNReport_Weights as CNNReport_Weights, cnn_report as cnn_report
from .models.student_report import VAEReport_Weights as VAEReport_Weights, vae_report as vae_report
from .models.unet import UNet_Weights as UNet_Weights, unet as unet
from .models.vae import VAE_Weights as VAE_Weights, vae as vae
# <!-- /models -->

__version__: str
__all__: list[str]
