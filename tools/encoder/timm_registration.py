"""Registers the pocket tower with timm, so that open_clip can build it by name."""

from timm.models import register_model

from tools.encoder.pocket_tower import PocketTower


@register_model
def unmask_pocket_tower(pretrained: bool = False, **_: object) -> PocketTower:
    """timm's entry point; the weights come with the open_clip folder, none are downloaded."""
    if pretrained:
        raise ValueError("the pocket tower's weights lie in tools/checkpoints/weights/encoder")
    return PocketTower()
