"""The same network for pictures of 224×224, a quarter of U²-Net†'s work, made as u2netp_pruned.py does it.

usage: python training/weights/u2netp_pruned_224.py --data=DUTS-TR --out=runs/u2netp_pruned_224 [--steps=20]
"""

from u2netp_pruned import begin

if __name__ == "__main__":
    begin(__file__, 224)
