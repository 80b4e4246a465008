"""Padding, resampling, shuffling, margin losses, distances: numbers recorded from PyTorch 2.13.

A row is: the module, its inputs (shapes, or a letter for a target), its repr, the output's shape,
and sums of the output and of each gradient.
"""

import math
import warnings

import pytest

import microtorch as torch
from microtorch import nn
from microtorch.nn import functional as F

# fmt: off
ROWS = [
    ("ZeroPad1d(2)", [(2, 3)], "ZeroPad1d((2, 2))", [2, 7], [[-0.1799092, 2.8161717, 0.9324341],
     [-3.805559, 3.1147323, 0.1517532]]),
    ("ZeroPad2d((1, 2, 0, 3))", [(1, 2, 2, 3)], "ZeroPad2d((1, 2, 0, 3))", [1, 2, 5, 6],
     [[-0.2151554, 5.620965, -1.5237833], [2.5542545, 5.9668684, 0.3573702]]),
    ("ZeroPad3d(1)", [(1, 1, 2, 2, 2)], "ZeroPad3d((1, 1, 1, 1, 1, 1))", [1, 1, 4, 4, 4],
     [[0.3069191, 3.3410247, 0.93133], [0.4235952, 5.3337681, -0.517063]]),
    ("ConstantPad1d((1, 2), 3.5)", [(2, 2, 3)], "ConstantPad1d(padding=(1, 2), value=3.5)", [2, 2,
     6], [[41.7848446, 152.620965, -0.2828634], [-0.0350116, 5.7282447, 1.2169821]]),
    ("ConstantPad2d((1, -1, 0, 1), 0.5)", [(1, 2, 3, 3)],
     "ConstantPad2d(padding=(1, -1, 0, 1), value=0.5)", [1, 2, 4, 3], [[5.2399158, 8.5588832,
     -0.1549804], [1.5707241, 4.5414089, 3.6161203]]),
    ("ConstantPad3d(1, -2.0)", [(1, 1, 1, 2, 2)],
     "ConstantPad3d(padding=(1, 1, 1, 1, 1, 1), value=-2.0)", [1, 1, 3, 4, 4], [[-88.6256806,
     178.0775374, -1.4322368], [0.090432, 2.7009166, -2.1341878]]),
    ("ReflectionPad1d((2, 1))", [(1, 2, 4)], "ReflectionPad1d((2, 1))", [1, 2, 7], [[0.8173457,
     5.4403733, 0.6483502], [1.3382787, 7.4493101, -3.9601672]]),
    ("ReflectionPad2d(2)", [(1, 2, 3, 4)], "ReflectionPad2d((2, 2, 2, 2))", [1, 2, 7, 8],
     [[-0.1747631, 47.2933849, 0.7407931], [-0.5425476, 49.6523007, 2.8267075]]),
    ("ReflectionPad3d(1)", [(1, 1, 2, 2, 3)], "ReflectionPad3d((1, 1, 1, 1, 1, 1))", [1, 1, 4, 4,
     5], [[1.6117182, 36.8684485, 1.7734356], [-0.3544569, 0.9054097, 0.7348565]]),
    ("ReplicationPad1d(3)", [(2, 3)], "ReplicationPad1d((3, 3))", [2, 9], [[-1.4948845, 8.5584839,
     -1.4439272], [-0.5174948, 8.9568416, -2.3602821]]),
    ("ReplicationPad2d((1, 2, 3, 0))", [(1, 2, 3, 2)], "ReplicationPad2d((1, 2, 3, 0))", [1, 2, 6,
     5], [[-0.2765078, 21.1568912, 9.0901988], [0.6972304, 21.697863, -3.0036966]]),
    ("ReplicationPad3d(2)", [(1, 1, 2, 2, 2)], "ReplicationPad3d((2, 2, 2, 2, 2, 2))", [1, 1, 6, 6,
     6], [[8.2868147, 90.207667, 1.7616309], [1.4960558, 77.7897473, 2.5864339]]),
    ("CircularPad1d((2, 1))", [(1, 2, 4)], "CircularPad1d((2, 1))", [1, 2, 7], [[1.4861549,
     6.2840301, -0.4741298], [1.3382787, 3.841741, -2.0578116]]),
    ("CircularPad2d(2)", [(2, 3, 4)], "CircularPad2d((2, 2, 2, 2))", [2, 7, 8], [[1.9515026,
     50.6915021, 12.9100432], [-0.5425476, 25.9423912, 0.9629784]]),
    ("CircularPad3d(1)", [(1, 1, 2, 2, 3)], "CircularPad3d((1, 1, 1, 1, 1, 1))", [1, 1, 4, 4, 5],
     [[-2.9574129, 37.7754256, 0.1289119], [-0.3544569, 0.4005235, -0.8582972]]),
    ("GLU()", [(3, 4)], "GLU(dim=-1)", [3, 2], [[0.1567659, 0.5682339, 0.1651887], [0.0844664,
     1.1112254, 0.3263636]]),
    ("GLU(0)", [(4, 3)], "GLU(dim=0)", [2, 3], [[-0.735495, 0.8078992, 0.1629049], [-0.1740076,
     0.9905679, 1.332492]]),
    ("Hardshrink()", [(3, 4)], "Hardshrink(0.5)", [3, 4], [[0.194421, 5.4410162, 0.0979033],
     [-2.6612802, 3.9961782, -1.0707772]]),
    ("Softshrink(0.3)", [(3, 4)], "Softshrink(0.3)", [3, 4], [[0.1519404, 2.2805291, 0.2293751],
     [-2.377618, 4.0766424, -0.7937562]]),
    ("Threshold(0.1, 20)", [(3, 4)], "Threshold(threshold=0.1, value=20)", [3, 4], [[143.4726943,
     2802.835576, 37.9061254], [-1.2225928, 1.9989747, -1.2549029]]),
    ("RReLU()", [(3, 4)], "RReLU(lower=0.125, upper=0.3333333333333333)", [3, 4], [[2.6252317,
     3.0036601, -0.3023376], [-1.1331648, 2.2030103, -0.9373432]]),
    ("RReLU(0.1, 0.9).eval()", [(3, 4)], "RReLU(lower=0.1, upper=0.9)", [3, 4], [[1.6287694,
     3.5319232, -0.3678988], [-0.8178074, 2.9988783, -0.4987851]]),
    ("RReLU(0.1, 0.1)", [(3, 4)], "RReLU(lower=0.1, upper=0.1)", [3, 4], [[3.1039093, 2.8634299,
     -0.445833], [-1.1416357, 2.0389709, -1.1036794]]),
    ("Softmax2d()", [(2, 3, 2, 2)], "Softmax2d()", [2, 3, 2, 2], [[8.0, 3.7719899, -0.0678478],
     [-0.0, 1.1167559, 0.3741318]]),
    ("PairwiseDistance()", [(3, 4), (3, 4)], "PairwiseDistance()", [3], [[4.1141497, 5.7461928,
     0.2320625], [-0.7685306, 1.4651048, -0.2807827], [0.7685306, 1.4651048, 0.2807827]]),
    ("PairwiseDistance(1, keepdim=True)", [(3, 4), (4,)], "PairwiseDistance()", [3, 1],
     [[10.6678353, 46.3501085, -2.3328225], [0.0, 5.8604191, -1.1880066], [0.0, 4.0616583,
     0.9381427]]),
    ("CosineSimilarity()", [(3, 4), (3, 4)], "CosineSimilarity()", [3], [[1.4860508, 0.8300742,
     0.5102421], [0.5615285, 0.4806218, -0.1015216], [-0.0747234, 0.4011218, -0.3089579]]),
    ("PixelShuffle(2)", [(1, 8, 2, 3)], "PixelShuffle(upscale_factor=2)", [1, 2, 4, 6],
     [[-0.6551604, 23.5844984, 6.5370693], [0.1169318, 24.4529962, -0.6519959]]),
    ("PixelUnshuffle(2)", [(1, 2, 4, 2)], "PixelUnshuffle(downscale_factor=2)", [1, 8, 2, 1],
     [[-0.5052355, 8.2216044, 1.9171758], [0.715328, 8.1299609, 0.6429987]]),
    ("ChannelShuffle(2)", [(1, 6, 2)], "ChannelShuffle(groups=2)", [1, 6, 2], [[-0.2151554,
     5.620965, -3.242826], [-0.413022, 5.998589, 0.6439804]]),
    ("Upsample(scale_factor=2)", [(1, 2, 3)], "Upsample(scale_factor=2.0, mode='nearest')", [1, 2,
     6], [[-0.3598184, 5.6323434, 2.8392705], [-0.413022, 9.2377912, -1.0732597]]),
    ("Upsample(scale_factor=(2, 1.5))", [(1, 2, 3, 4)],
     "Upsample(scale_factor=(2.0, 1.5), mode='nearest')", [1, 2, 6, 6], [[-1.0506726, 33.861041,
     0.1660984], [1.2159356, 98.2144837, -5.358844]]),
    ("Upsample(scale_factor=(1.4, 2.4))", [(1, 2, 3, 3)],
     "Upsample(scale_factor=(1.4, 2.4), mode='nearest')", [1, 2, 4, 7], [[1.940906, 25.5083777,
     3.3490663], [-0.4039564, 55.1800177, 0.8727366]]),
    ("Upsample(scale_factor=1.4)", [(1, 2, 3)], "Upsample(scale_factor=1.4, mode='nearest')", [1,
     2, 4], [[-1.1744618, 3.8053066, -1.2685161], [1.4782541, 5.1529764, 3.7319858]]),
    ("Upsample(size=3)", [(1, 1, 2, 4, 5)], "Upsample(size=3, mode='nearest')", [1, 1, 3, 3, 3],
     [[-8.7050818, 12.3319379, -0.5432749], [1.5213866, 5.5326926, 0.101891]]),
    ('Upsample(size=(5, 3), mode="nearest-exact")', [(1, 2, 3, 4)],
     "Upsample(size=(5, 3), mode='nearest-exact')", [1, 2, 5, 3], [[-3.048594, 14.9874167,
     1.5104792], [-0.4814156, 3.2119199, 1.0712063]]),
    ('Upsample(size=5, mode="area")', [(1, 2, 7)], "Upsample(size=5, mode='area')", [1, 2, 5],
     [[0.1619024, 0.4433116, -1.2707148], [0.4216238, 3.5869484, 0.4601016]]),
    ('Upsample(scale_factor=2.3, mode="linear")', [(1, 2, 4)],
     "Upsample(scale_factor=2.3, mode='linear')", [1, 2, 9], [[0.6663581, 4.2598851, 2.9924694],
     [-0.5174948, 10.5866345, 1.3043757]]),
    ('Upsample(scale_factor=2, mode="bilinear")', [(1, 2, 3, 4)],
     "Upsample(scale_factor=2.0, mode='bilinear')", [1, 2, 6, 8], [[-1.6718517, 13.8936102,
     2.6594076], [1.4904379, 15.3312479, 0.6784667]]),
    ('Upsample(scale_factor=1.7, mode="bilinear", recompute_scale_factor=True)', [(1, 2, 3, 4)],
     "Upsample(scale_factor=1.7, mode='bilinear')", [1, 2, 5, 6], [[-0.4596078, 10.7555733,
     -4.0412679], [0.6972304, 54.35441, -4.2001863]]),
    ('Upsample(size=(2, 7), mode="bilinear", align_corners=True)', [(1, 2, 3, 4)],
     "Upsample(size=(2, 7), mode='bilinear')", [1, 2, 2, 7], [[-2.6872145, 9.0297132, 3.508781],
     [1.2292478, 16.6401189, 0.3148535]]),
    ('Upsample(size=1, mode="bilinear", align_corners=True)', [(1, 2, 3, 4)],
     "Upsample(size=1, mode='bilinear')", [1, 2, 1, 1], [[0.4056619, 0.1645616, 0.1085141],
     [1.5403023, 1.2919266, 0.4628435]]),
    ('Upsample(size=(3, 2, 5), mode="trilinear")', [(1, 1, 2, 3, 4)],
     "Upsample(size=(3, 2, 5), mode='trilinear')", [1, 1, 3, 2, 5], [[-1.5622376, 3.0721827,
     -1.7851331], [-0.4814156, 2.5635949, 3.9151425]]),
    ('Upsample(scale_factor=1.6, mode="bicubic")', [(1, 2, 3, 4)],
     "Upsample(scale_factor=1.6, mode='bicubic')", [1, 2, 4, 6], [[1.395583, 11.9245012,
     -1.5721707], [0.1169318, 51.633636, -4.4804062]]),
    ('Upsample(size=(7, 2), mode="bicubic", align_corners=True)', [(1, 1, 4, 5)],
     "Upsample(size=(7, 2), mode='bicubic')", [1, 1, 7, 2], [[3.2122079, 8.2339978, 0.1609616],
     [1.3382787, 1.5295909, 1.2398033]]),
    ("UpsamplingNearest2d(size=(4, 5))", [(1, 2, 3, 4)],
     "UpsamplingNearest2d(size=(4, 5), mode='nearest')", [1, 2, 4, 5], [[-1.2185442, 19.0888314,
     -0.5084141], [1.5154293, 29.7413218, 0.1180802]]),
    ("UpsamplingBilinear2d(scale_factor=2)", [(1, 2, 3, 4)],
     "UpsamplingBilinear2d(scale_factor=2.0, mode='bilinear')", [1, 2, 6, 8], [[0.4609781,
     12.9421042, 3.6903909], [1.4904379, 13.6215947, 0.7146479]]),
    ("Dropout3d(0.3)", [(2, 3, 1, 2, 2)], "Dropout3d(p=0.3, inplace=False)", [2, 3, 1, 2, 2],
     [[-1.1070942, 15.5477476, -2.3177586], [1.3345187, 16.9896789, 1.9250911]]),
    ("Dropout3d(0.3)", [(3, 1, 2, 2)], "Dropout3d(p=0.3, inplace=False)", [3, 1, 2, 2],
     [[0.4384558, 6.8184178, -1.1772292], [2.1117915, 9.0677545, 2.1826919]]),
    ("AlphaDropout(0.3)", [(3, 4)], "AlphaDropout(p=0.3, inplace=False)", [3, 4], [[-1.5484962,
     5.4290007, -0.3256487], [1.3498865, 3.3859834, 0.6862039]]),
    ("AlphaDropout(1.0)", [(3, 4)], "AlphaDropout(p=1.0, inplace=False)", [3, 4], [[0.0, 0.0, 0.0],
     [0.0, 0.0, 0.0]]),
    ("FeatureAlphaDropout(0.4)", [(2, 3, 2, 2)], "FeatureAlphaDropout(p=0.4, inplace=False)", [2,
     3, 2, 2], [[-3.6280311, 18.819709, 0.1187463], [2.2502361, 4.8997449, -0.1228291]]),
    ("MarginRankingLoss(0.2)", [(4,), (4,), "S"], "MarginRankingLoss()", [], [[0.6751431,
     0.4558182, 0.6751431], [0.0, 0.25, -0.2158644], [0.0, 0.25, 0.2158644]]),
    ('MarginRankingLoss(0.2, reduction="sum")', [(4,), (4,), "S"], "MarginRankingLoss()", [],
     [[2.7005724, 7.2930914, 2.7005724], [0.0, 4.0, -0.8634576], [0.0, 4.0, 0.8634576]]),
    ('MarginRankingLoss(0.2, reduction="none")', [(4,), (4,), "S"], "MarginRankingLoss()", [4],
     [[2.7005724, 2.1481515, 0.4707934], [0.114148, 2.4451899, -1.2175458], [-0.114148, 2.4451899,
     1.2175458]]),
    ("HingeEmbeddingLoss()", [(4,), "S"], "HingeEmbeddingLoss()", [], [[0.1591439, 0.0253268,
     0.1591439], [0.0, 0.25, 0.2158644]]),
    ('HingeEmbeddingLoss(reduction="sum")', [(4,), "S"], "HingeEmbeddingLoss()", [], [[0.6365755,
     0.4052283, 0.6365755], [0.0, 4.0, 0.8634576]]),
    ('HingeEmbeddingLoss(reduction="none")', [(4,), "S"], "HingeEmbeddingLoss()", [4], [[0.6365755,
     3.3397935, 1.0444113], [-0.114148, 2.4451899, 1.2175458]]),
    ("CosineEmbeddingLoss(0.1)", [(4, 3), (4, 3), "S"], "CosineEmbeddingLoss()", [], [[0.5188041,
     0.2691577, 0.5188041], [0.0159884, 0.1145852, -0.1417817], [-0.2550459, 0.2077467,
     0.2744477]]),
    ('CosineEmbeddingLoss(0.1, reduction="sum")', [(4, 3), (4, 3), "S"], "CosineEmbeddingLoss()",
     [], [[2.0752165, 4.3065234, 2.0752165], [0.0639537, 1.8333628, -0.567127], [-1.0201834,
     3.3239473, 1.0977909]]),
    ('CosineEmbeddingLoss(0.1, reduction="none")', [(4, 3), (4, 3), "S"], "CosineEmbeddingLoss()",
     [4], [[2.0752165, 1.7206639, -1.1864842], [-0.2466552, 1.2626476, 0.5200774], [0.1343689,
     2.006958, 0.7743226]]),
    ("TripletMarginLoss()", [(4, 3), (4, 3), (4, 3)], "TripletMarginLoss()", [], [[0.2958377,
     0.08752, 0.2958377], [0.0217084, 0.0959413, 0.1999829], [0.0238708, 0.125, 0.0589022],
     [-0.0455792, 0.125, -0.2588851]]),
    ('TripletMarginLoss(reduction="sum")', [(4, 3), (4, 3), (4, 3)], "TripletMarginLoss()", [],
     [[1.1833509, 1.4003194, 1.1833509], [0.0868335, 1.5350601, 0.7999316], [0.0954833, 2.0,
     0.2356088], [-0.1823168, 2.0, -1.0355405]]),
    ('TripletMarginLoss(reduction="none")', [(4, 3), (4, 3), (4, 3)], "TripletMarginLoss()", [4],
     [[1.1833509, 0.7251822, 0.2923754], [-0.5001745, 0.8141687, 0.4165671], [0.4405972, 1.1731782,
     1.0078827], [0.0595772, 1.1731782, -1.4244498]]),
    ("TripletMarginLoss(0.5, 1, swap=True)", [(4, 3), (4, 3), (4, 3)], "TripletMarginLoss()", [],
     [[0.6422558, 0.4124925, 0.6422558], [0.0, 0.75, -0.057708], [0.5, 2.25, 0.750004], [-0.5, 0.75,
     -0.692296]]),
    ('TripletMarginLoss(0.5, 1, swap=True, reduction="sum")', [(4, 3), (4, 3), (4, 3)],
     "TripletMarginLoss()", [], [[2.5690232, 6.5998802, 2.5690232], [0.0, 12.0, -0.2308322], [2.0,
     36.0, 3.0000161], [-2.0, 12.0, -2.7691839]]),
    ('TripletMarginLoss(0.5, 1, swap=True, reduction="none")', [(4, 3), (4, 3), (4, 3)],
     "TripletMarginLoss()", [4], [[2.5690232, 2.322531, -0.2765715], [-0.114148, 7.3355697,
     -1.7042334], [2.2282959, 23.9568535, 3.109775], [-2.114148, 7.3355697, -1.4055416]]),
    ("TripletMarginWithDistanceLoss(swap=True)", [(4, 3), (4, 3), (4, 3)],
     "TripletMarginWithDistanceLoss(\n  (distance_function): PairwiseDistance()\n)", [],
     [[1.0349908, 1.0712059, 1.0349908], [-0.0220664, 0.25, -0.1726838], [0.0422687, 0.6915896,
     0.3042651], [-0.0202023, 0.25, -0.1315813]]),
    ('TripletMarginWithDistanceLoss(swap=True, reduction="sum")', [(4, 3), (4, 3), (4, 3)],
     "TripletMarginWithDistanceLoss(\n  (distance_function): PairwiseDistance()\n)", [],
     [[4.1399631, 17.1392946, 4.1399631], [-0.0882655, 4.0, -0.6907353], [0.1690747, 11.0654337,
     1.2170606], [-0.0808092, 4.0, -0.5263253]]),
    ('TripletMarginWithDistanceLoss(swap=True, reduction="none")', [(4, 3), (4, 3), (4, 3)],
     "TripletMarginWithDistanceLoss(\n  (distance_function): PairwiseDistance()\n)", [4],
     [[4.1399631, 4.4703905, -0.2491633], [-1.1157747, 2.4451899, -0.6858352], [1.2490712,
     6.7855189, 1.2923028], [-0.1332965, 2.4451899, -0.6064676]]),
    ("SoftMarginLoss()", [(4,), "S"], "SoftMarginLoss()", [], [[0.9263955, 0.8582086, 0.9263955],
     [-0.0371868, 0.0890789, -0.1199834]]),
    ('SoftMarginLoss(reduction="sum")', [(4,), "S"], "SoftMarginLoss()", [], [[3.7055819,
     13.7313376, 3.7055819], [-0.1487472, 1.4252626, -0.4799335]]),
    ('SoftMarginLoss(reduction="none")', [(4,), "S"], "SoftMarginLoss()", [4], [[3.7055819,
     3.9471494, -1.1962172], [0.1271438, 0.8998198, -0.7176371]]),
    ("MultiLabelSoftMarginLoss()", [(4, 3), "B"], "MultiLabelSoftMarginLoss()", [], [[0.755802,
     0.5712367, 0.755802], [-0.0045957, 0.0232826, 0.0312558]]),
    ('MultiLabelSoftMarginLoss(reduction="sum")', [(4, 3), "B"], "MultiLabelSoftMarginLoss()", [],
     [[3.0232081, 9.1397872, 3.0232081], [-0.018383, 0.372521, 0.1250231]]),
    ('MultiLabelSoftMarginLoss(reduction="none")', [(4, 3), "B"], "MultiLabelSoftMarginLoss()",
     [4], [[3.0232081, 2.3663851, -0.1198837], [0.1964252, 0.2119846, 0.7563337]]),
    ("MultiLabelSoftMarginLoss(W)", [(4, 3), "B"], "MultiLabelSoftMarginLoss()", [], [[0.7860494,
     0.6178737, 0.7860494], [-0.0074391, 0.0291678, 0.0427348]]),
    ('MultiLabelSoftMarginLoss(W, reduction="sum")', [(4, 3), "B"], "MultiLabelSoftMarginLoss()",
     [], [[3.1441977, 9.8859789, 3.1441977], [-0.0297564, 0.466684, 0.1709393]]),
    ('MultiLabelSoftMarginLoss(W, reduction="none")', [(4, 3), "B"], "MultiLabelSoftMarginLoss()",
     [4], [[3.1441977, 2.5284614, -0.2507858], [0.2576135, 0.2886235, 0.7493659]]),
    ("MultiMarginLoss()", [(4, 3), "L"], "MultiMarginLoss()", [], [[0.7770564, 0.6038167,
     0.7770564], [0.0, 0.1388889, -0.4273096]]),
    ('MultiMarginLoss(reduction="sum")', [(4, 3), "L"], "MultiMarginLoss()", [], [[3.1082258,
     9.6610674, 3.1082258], [0.0, 2.2222222, -1.7092385]]),
    ('MultiMarginLoss(reduction="none")', [(4, 3), "L"], "MultiMarginLoss()", [4], [[3.1082258,
     3.4375059, -0.0770307], [-0.0, 1.5531585, -0.9615048]]),
    ("MultiMarginLoss(2, 0.5, W)", [(4, 3), "L"], "MultiMarginLoss()", [], [[1.0277771, 1.0563258,
     1.0277771], [-0.0, 1.1028974, -0.8121851]]),
    ('MultiMarginLoss(2, 0.5, W, reduction="sum")', [(4, 3), "L"], "MultiMarginLoss()", [],
     [[4.1111085, 16.9012134, 4.1111085], [-0.0, 17.6463586, -3.2487404]]),
    ('MultiMarginLoss(2, 0.5, W, reduction="none")', [(4, 3), "L"], "MultiMarginLoss()", [4],
     [[4.1111085, 7.298237, -0.6604083], [0.0, 10.7968806, -0.1971269]]),
    ("MultiLabelMarginLoss()", [(4, 3), "M"], "MultiLabelMarginLoss()", [], [[0.0391803, 0.0015351,
     0.0391803], [0.0, 0.0138889, -0.0610418]]),
    ('MultiLabelMarginLoss(reduction="sum")', [(4, 3), "M"], "MultiLabelMarginLoss()", [],
     [[0.1567213, 0.0245616, 0.1567213], [0.0, 0.2222222, -0.2441671]]),
    ('MultiLabelMarginLoss(reduction="none")', [(4, 3), "M"], "MultiLabelMarginLoss()", [4],
     [[0.1567213, 0.0245616, 0.1567213], [0.0, 0.2222222, -0.2441671]]),
    ("PoissonNLLLoss()", [(4,), "C"], "PoissonNLLLoss()", [], [[1.0594587, 1.1224528, 1.0594587],
     [-0.3962455, 0.2576187, 0.6347774]]),
    ('PoissonNLLLoss(reduction="sum")', [(4,), "C"], "PoissonNLLLoss()", [], [[4.2378349,
     17.959245, 4.2378349], [-1.5849821, 4.1218997, 2.5391095]]),
    ('PoissonNLLLoss(reduction="none")', [(4,), "C"], "PoissonNLLLoss()", [4], [[4.2378349,
     7.8734338, -0.2078691], [2.6177781, 3.7048965, -0.4247863]]),
    ("PoissonNLLLoss(full=True)", [(4,), "C"], "PoissonNLLLoss()", [], [[1.6634307, 2.7670018,
     1.6634307], [-0.3962455, 0.2576187, 0.6347774]]),
    ('PoissonNLLLoss(full=True, reduction="sum")', [(4,), "C"], "PoissonNLLLoss()", [], [[6.653723,
     44.2720294, 6.653723], [-1.5849821, 4.1218997, 2.5391095]]),
    ('PoissonNLLLoss(full=True, reduction="none")', [(4,), "C"], "PoissonNLLLoss()", [4],
     [[6.653723, 13.6397955, -2.1926581], [2.6177781, 3.7048965, -0.4247863]]),
    ("PoissonNLLLoss(False, eps=1.5)", [(4,), "P"], "PoissonNLLLoss()", [], [[-0.4366596,
     0.1906716, -0.4366596], [0.197482, 0.1907054, 0.4447438]]),
    ('PoissonNLLLoss(False, eps=1.5, reduction="sum")', [(4,), "P"], "PoissonNLLLoss()", [],
     [[-1.7466384, 3.0507456, -1.7466384], [0.7899281, 3.0512858, 1.7789753]]),
    ('PoissonNLLLoss(False, eps=1.5, reduction="none")', [(4,), "P"], "PoissonNLLLoss()", [4],
     [[-1.7466384, 1.0795241, 0.6431078], [2.4356493, 2.2928133, 0.1584409]]),
    ("GaussianNLLLoss()", [(4,), (4,), "P"], "GaussianNLLLoss()", [], [[27621.2871707,
     762935504.9679348, 27621.2871707], [117520.9596097, 13811368578.356, 31436.3222148],
     [-117520.9596097, 13811368578.356, -31436.3222148]]),
    ('GaussianNLLLoss(reduction="sum")', [(4,), (4,), "P"], "GaussianNLLLoss()", [],
     [[110485.1486829, 12206968079.486958, 110485.1486829], [470083.8384386, 220981897253.696,
     125745.2888591], [-470083.8384386, 220981897253.696, -125745.2888591]]),
    ('GaussianNLLLoss(reduction="none")', [(4,), (4,), "P"], "GaussianNLLLoss()", [4],
     [[110485.1486829, 12206723286.902185, 29554.4996886], [253986.8294176, 64510489894.431984,
     67938.6478905], [-253986.8294176, 64510489894.431984, -67938.6478905]]),
    ("GaussianNLLLoss(full=True)", [(4, 3), (4, 3), "V"], "GaussianNLLLoss()", [], [[1.3019459,
     1.6950631, 1.3019459], [-0.2883424, 0.4275537, -0.2812895], [0.2883424, 0.4275537,
     0.2812895]]),
    ('GaussianNLLLoss(full=True, reduction="sum")', [(4, 3), (4, 3), "V"], "GaussianNLLLoss()", [],
     [[15.6233506, 244.0890849, 15.6233506], [-3.4601085, 61.5677352, -3.3754738], [3.4601085,
     61.5677352, 3.3754738]]),
    ('GaussianNLLLoss(full=True, reduction="none")', [(4, 3), (4, 3), "V"], "GaussianNLLLoss()",
     [4, 3], [[15.6233506, 23.632548, 3.983676], [-3.1408111, 26.926776, -6.7571471], [3.1408111,
     26.926776, 6.7571471]]),
]
# fmt: on

def inputs(given):
    """A tensor for each shape, of numbers without a pattern; a letter stands for a target."""
    return [TARGETS[g] if isinstance(g, str) else ramp(g, k) for k, g in enumerate(given)]


def ramp(shape, k):
    n = torch.arange(math.prod(shape), dtype=torch.float64)
    return torch.sin(3.7 * n + k).reshape(shape).requires_grad_()


def sums(tensor):
    """Three sums that tell apart wrong values and wrong places."""
    flat = tensor.detach().double().reshape(-1)
    place = torch.cos(1.3 * torch.arange(flat.numel(), dtype=torch.float64))
    return [round(float(x), 7) for x in (flat.sum(), (flat * flat).sum(), (flat * place).sum())]


def measured(module, given):
    """Shape and sums of the output, and sums of the gradient of each input."""
    torch.manual_seed(3)
    tensors = inputs(given)
    output = module(*tensors)
    weights = torch.cos(torch.arange(output.numel(), dtype=torch.float64)).reshape(output.shape)
    (output * weights).sum().backward()
    leaves = [t for t, g in zip(tensors, given, strict=True) if not isinstance(g, str)]
    return list(output.shape), [sums(output), *(sums(t.grad) for t in leaves)]


TARGETS = {
    "S": torch.tensor([1.0, -1.0, -1.0, 1.0], dtype=torch.float64),
    "B": torch.tensor([[0.0, 1.0, 1.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]),
    "L": torch.tensor([0, 2, 1, 1]),
    "M": torch.tensor([[0, 2, -1], [1, -1, 0], [-1, 0, 1], [2, 1, 0]]),
    "C": torch.tensor([0.0, 1.0, 3.0, 2.0], dtype=torch.float64),
    "P": torch.tensor([0.3, 0.0, 2.0, 1.1], dtype=torch.float64),
    "V": torch.tensor([[0.3], [0.2], [2.0], [1.1]], dtype=torch.float64),
}
W = torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64)


@pytest.mark.parametrize("source, given, shown, shape, numbers", ROWS)
def test_module(source, given, shown, shape, numbers):
    module = eval(f"nn.{source}", {"nn": nn, "W": W})
    assert repr(module) == shown
    got_shape, got = measured(module, given)
    assert got_shape == shape
    for ours, theirs in zip(got, numbers, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-6, abs=1e-6)


X = torch.tensor([[0.1, 0.2, 0.3], [0.5, 0.4, -0.3]])
IMAGE = torch.zeros(1, 3, 3, 3)
LABELS = torch.tensor([0, 2])


@pytest.mark.parametrize(
    "call, error, part",
    [
        (lambda: F.multi_margin_loss(X, torch.tensor([0, 3])), RuntimeError, "out of range"),
        (lambda: F.multi_margin_loss(X, torch.tensor([0.0, 1.0])), RuntimeError, "Long"),
        (lambda: F.multi_margin_loss(X, torch.tensor([0])), RuntimeError, "target tensor should"),
        (lambda: F.multi_margin_loss(X, LABELS, p=3), ValueError, "only p == 1 and p == 2"),
        (lambda: F.multi_margin_loss(IMAGE, LABELS), RuntimeError, "Expected non-empty vector"),
        (lambda: F.multilabel_margin_loss(X, LABELS), RuntimeError, "inconsistent target size"),
        (lambda: F.cosine_embedding_loss(X, X, X), RuntimeError, "0D or 1D target"),
        (lambda: F.cosine_embedding_loss(X, X, LABELS[0]), RuntimeError, "0D target tensor"),
        (lambda: F.soft_margin_loss(X, X, reduction="all"), ValueError, "not a valid value"),
        (lambda: F.gaussian_nll_loss(X, X, -X), ValueError, "negative"),
        (lambda: F.gaussian_nll_loss(X, X, torch.ones(4)), ValueError, "incorrect size"),
        (lambda: F.margin_ranking_loss(X, X, LABELS), RuntimeError, "same dimension"),
        (lambda: nn.TripletMarginLoss(margin=0), ValueError, "margin to be greater than 0"),
        (lambda: F.triplet_margin_loss(X, X, X[0]), RuntimeError, "same number of dimensions"),
        (lambda: F.glu(X), RuntimeError, "dimension 1 is size 3"),
        (lambda: F.glu(X, 5), IndexError, "Dimension out of range"),
        (lambda: F.softshrink(X, -1.0), RuntimeError, "lambda must be"),
        (lambda: F.softshrink(LABELS), NotImplementedError, "softshrink"),
        (lambda: F.rrelu(X, 0.5, 0.1), RuntimeError, "Lower bound"),
        (lambda: nn.Softmax2d()(X), ValueError, "3D or 4D"),
        (lambda: nn.CircularPad1d(1)(X[0]), ValueError, "expected 2D or 3D input"),
        (lambda: nn.ReflectionPad2d(5)(IMAGE), RuntimeError, "Padding size should be less"),
        (lambda: F.pixel_shuffle(IMAGE, 2), RuntimeError, "divisible by the square"),
        (lambda: F.pixel_unshuffle(IMAGE, 2), RuntimeError, "height to be divisible"),
        (lambda: F.channel_shuffle(IMAGE, 2), RuntimeError, "divisible by groups"),
        (lambda: F.interpolate(IMAGE), ValueError, "either size or scale_factor"),
        (lambda: F.interpolate(IMAGE, 2, 2.0), ValueError, "only one of size"),
        (lambda: F.interpolate(IMAGE, 2, align_corners=True), ValueError, "align_corners"),
        (lambda: F.interpolate(IMAGE, (2, 2, 2)), ValueError, "spatial dimensions"),
        (lambda: F.interpolate(IMAGE, 0), RuntimeError, "greater than 0"),
        (lambda: F.interpolate(IMAGE, 2, mode="linear"), NotImplementedError, "needs 3D"),
        (lambda: F.interpolate(X, 2), NotImplementedError, "Only 3D, 4D and 5D"),
        (lambda: F.alpha_dropout(X, 1.5), ValueError, "between 0 and 1"),
        (lambda: F.feature_alpha_dropout(X[0], training=True), RuntimeError, "at least 2"),
    ],
)
def test_errors(call, error, part):
    with pytest.raises(error, match=part):
        call()


def test_inplace_and_nan():
    x = torch.tensor([-1.0, float("nan"), 2.0])
    for f in (F.hardshrink, F.softshrink, lambda x: F.threshold(x, 0.0, 0.0)):
        assert f(x)[1].isnan().item()
    leaf = torch.tensor([-1.0, 2.0], requires_grad=True)
    y = leaf * 1
    assert F.threshold(y, 0.0, 5.0, inplace=True) is y
    y.sum().backward()
    assert leaf.grad.tolist() == [0.0, 1.0]
    assert F.threshold(LABELS, 1, 7).tolist() == [7, 2]


def test_second_derivatives():
    x = torch.sin(torch.arange(12, dtype=torch.float64)).reshape(1, 2, 2, 3).requires_grad_()
    for f in (
        lambda x: F.interpolate(x, scale_factor=1.5, mode="bilinear"),
        lambda x: F.pixel_shuffle(F.pad(x, (1, 1, 0, 0), mode="replicate").reshape(1, 4, 1, 5), 2),
        lambda x: F.glu(x, 1),
        lambda x: F.gaussian_nll_loss(x, x * x, x.exp()),
        lambda x: F.multi_margin_loss(x.reshape(4, 3), TARGETS["L"], p=2),
    ):
        assert torch.autograd.gradcheck(f, (x,))
        assert torch.autograd.gradgradcheck(f, (x,))


def test_old_reduction_flags_warn():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert nn.SoftMarginLoss(size_average=False).reduction == "sum"
    assert "will be deprecated" in str(caught[0].message)


def test_sizes_of_zero():
    for pool in (nn.AdaptiveMaxPool2d, nn.AdaptiveAvgPool2d):
        assert pool(0)(torch.ones(2, 3, 4, 4)).shape == (2, 3, 0, 0)
        assert pool(2)(torch.ones(0, 4, 4)).shape == (0, 2, 2)
        with pytest.raises(NotImplementedError, match="not implemented for 'Int'"):
            pool(2)(torch.ones(1, 4, 4, dtype=torch.int32))
    assert nn.FractionalMaxPool2d(2, output_size=(0, 1))(torch.ones(1, 3, 8, 8)).shape[2] == 0
    for shape in ((3, 0, 5), (3, 4, 0)):
        with pytest.raises(RuntimeError, match="non-zero dimensions"):
            nn.ReplicationPad1d(1)(torch.ones(shape))
    one = torch.ones(1, 1, 1, 1, 1)
    for wrong in ({"stride": 0}, {"kernel_size": (1, 1)}):
        with pytest.raises(RuntimeError):
            nn.functional.max_unpool3d(one, one.long(), **{"kernel_size": 1, **wrong})
    with pytest.raises(RuntimeError, match="at least 2 dimensional"):
        nn.functional.scaled_dot_product_attention(*[torch.ones(3)] * 3)
