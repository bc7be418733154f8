"""CSNet-L ×1, trained further on DUTS-TR as csnet_l_x2.py does it.

usage: python training/weights/csnet_l_x1.py --data=DUTS-TR --out=runs/csnet_l_x1 [--start=csnet_l_x1] [--steps=20]
"""

from csnet_l_x2 import begin

if __name__ == "__main__":
    begin(__file__, "csnet_l_x1")
