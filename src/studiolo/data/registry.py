"""Which bytes a data set is: the sha256 of every file's content, unpacked where it is a .gz or .xz.

Checked at every load, wherever the file came from; so code and checksums together say what an experiment read.
"""

from __future__ import annotations


CONTENT_SHA256 = {
    "arxiv_ml/arxiv_ml.jsonl.xz": "e96e2c3f5f37588aed6b99720376629fbddefcb1555ef9fa6a881a26e607ce45",
    "enwiki_sample/enwiki_106.xml.xz": "34c1c63050c87cc8477b9ae36b1cb0edf372612c92938b742e579a7109c20fa4",
    "enwiki_sample/enwiki_106_plain.txt.xz": "a9d387970c82dccd7182adf724aa05e2afca6f9c22c650771f424772941b5da5",
    "enwiki_sample/enwiki_106_text8style.txt.xz": "54ca66b6b9cd049e31addbf2d3126d65f8706efcf0971965ad952c23babc8128",
    "fairness/adult-test.csv.xz": "72567b94f5c1a6f8501377dd80f93892c3848ff071cf91ba47e00b0785a28074",
    "fairness/adult-train.csv.xz": "5b00264637dbfec36bdeaab5676b0b309ff9eb788d63554ca0a249491c86603d",
    "fairness/german.csv": "ec12a88b9fc14d74ba646ea0410cf7ff4533bec2eb61652f8ad76796bbfec017",
    "fashion_mnist/t10k-images-idx3-ubyte.gz": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "fashion_mnist/t10k-labels-idx1-ubyte.gz": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    "fashion_mnist/train-images-idx3-ubyte.gz": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "fashion_mnist/train-labels-idx1-ubyte.gz": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "kodak_gray/01.png": "755152ee917d90900a84cbc2755b530a5cd85fef9a1acb866c1477bd48f6385e",
    "kodak_gray/02.png": "06c792fbcb6eefde5dbd6a68c183eefbfe9e31cfe14208e06424c81bbc2ce06b",
    "kodak_gray/03.png": "4467c1c976961d58182a81ea4408b2e920bf8c5ed3b4cd2bf8a31eb196a8ca71",
    "kodak_gray/04.png": "e56fe57129b8cdd6a969c41ee9409bac0a55f669511cc7a58eaff9806f15424f",
    "kodak_gray/05.png": "9bcfbf2b3335ea6e92228bc5c0d9588dea0b281251dca5464f73b79db6e6ed08",
    "kodak_gray/06.png": "f5785deee9a42df87c49cc868be5b383562f2f38d9dd5495dc7e4cf9520100d4",
    "kodak_gray/07.png": "b366d0c7a5bf0ec94420facf9bb234041dac0430f81897533710fe0c2f3914ec",
    "kodak_gray/08.png": "4434bc6cea92f3d92a416e8f4fa87626b9aa97e4e8b104da1f9ff936aa129d41",
    "kodak_gray/09.png": "ec8715a845bf1d1fae61abf744888d196d086c21f5fb0c061f74adf71ade8ecb",
    "kodak_gray/10.png": "9ee67f16078589110a24f889c5693a77f4546e5a6709d3eb19c77917266bab60",
    "kodak_gray/11.png": "cf277df4863b13efa2e1eacfbce94a50be115e03c0fff0e31f26f3223c44ea8d",
    "kodak_gray/12.png": "7756eaf45cae23244f5abe1697533a4b6d24501471467075e82d0bc1d91b2c66",
    "kodak_gray/13.png": "47198af1e83a8eccc5fc612eb785f817aa772c8b5937d7298e50a829bb5736a0",
    "kodak_gray/14.png": "19c3c216d4dbb4fb7d4c7493b75e66298edb77c16773825b5ae5055fa01b871b",
    "kodak_gray/15.png": "bfd8c04a6dcbca724dae400058d477ab293b79cf8b08d14a2f1fa1f896822aeb",
    "kodak_gray/16.png": "008e74526402f95875a61b7a4783708946512b5f41d819d27c0fee4f6bfd3225",
    "kodak_gray/17.png": "dc2c8fe1cc6720797bcfaa37a4c82874d3d4d063e17c21c145f86fb04fe16508",
    "kodak_gray/18.png": "1a4e46326c4bf690ecd7aecf48cc3c601097bd8353f6d63a9b83b3e336601190",
    "kodak_gray/19.png": "95353f5241c18c2d43971c6fb67c8c906c6a8114f5607ea6acc80accf86a4824",
    "kodak_gray/20.png": "22ee5672044f092c6a6e68a765566f286fd45b8c09f08f5e5ecb8f1f62769e92",
    "kodak_gray/21.png": "2a8ae20fabc4d78673d94d0bb73f96d5b5495f877e4854fb9af369aa139ee212",
    "kodak_gray/22.png": "0c30a2a5b104c3c317f2c50979e0225245306a234ad07baee31b0689cb27604a",
    "kodak_gray/23.png": "615bb8547ecbfc0ea97650fa6f4d74284cffe0c7458d8f3ee702b13327583338",
    "kodak_gray/24.png": "809f0d1efe938ab9a90c3eb9a280643ec6d1fa06c3a04b2584f68b9d7de58976",
    "mnist/t10k-images-idx3-ubyte.gz": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "mnist/t10k-labels-idx1-ubyte.gz": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    "mnist/train-images-idx3-ubyte.gz": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "mnist/train-labels-idx1-ubyte.gz": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "nade_binary/adult.npz": "63085a9f39fee9aed064ed34aa51e6584f4516c67b26f5d7fbff492d8af1bd47",
    "nade_binary/connect4.npz": "40ca604653cb1b0e4b95b8ebceec463789b88122ea0f409473fea96632913e52",
    "nade_binary/dna.npz": "801c3bb223b9deaa12b41cb13888a970b96b8759a116737fa2209c49c4d605ac",
    "nade_binary/mushrooms.npz": "eafd056948b5572ae793015f99dee5a3db4b0f782c2159de13bb958da70a7698",
    "nade_binary/nips.npz": "9b7d5d42c5ad6af0538727f3c60f2fa935603bb03947f3cbd63919a7438b672b",
    "nade_binary/plants.npz": "479357c8b834e5a95c94303063d10c8962ffb42140da0eabac7aa3fa56543678",
    "protein/remote_homology.test.csv.xz": "ecf3e618355a87ddd76c54f502059d228b0d58bdd3a3b24f8abc80f1fe4145ce",
    "protein/remote_homology.train.csv.xz": "f39e9a7a2848c4b4efca891a1c8b6904fcae68a7d31b84648ef9e3c351380b0d",
    "protein/remote_homology.valid.csv.xz": "11d088bdb6fd4a5ee9b5e3d1f41d958b47e478b6c3daa62d928811c413ed2935",
    "protein/scop.test.csv.xz": "e329345ac6e2198ab118c528268c67e7359e2f171fa33b81c49c83f804c086da",
    "protein/scop.train.csv.xz": "d03cf22b6f736d2a3250d61cdb93aba424ccca9e18ef3092dceedf7581589324",
    "protein/secondary_structure.test.csv.xz": "b643ae12a320ee2a025be29a20d8bcf2ad499fa6a4b285c095b7b37044fccc5a",
    "protein/secondary_structure.valid.csv.xz": "2b81de90a9f66bfcb1c6f49770bcdab11a43be146a3a81074fe3ba9658876784",
    "protein/stability.test.csv.xz": "b79e72cdb00e524f7804d6437b80eb3be573aee3733a8e7d0b4c72917701f65b",
    "protein/stability.train.csv.xz": "62cdebd9d680a0114326b4fba709e9753fdf2fb2238c8ec61ae388a55c3d1052",
    "protein/stability.valid.csv.xz": "b569b6f997aedf167b99a4900e3ac30754d0c6d80ff7f803d6f3e1398261e450",
    "protein/uniprot_query_500.fasta.xz": "c99bc94ada4ac5cb89d777100f2587186fe81ec0adcf1a7492c89cd050a4e7a2",
    "tinyshakespeare/input.txt": "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
    "uci_regression/ionosphere.csv": "fd6dd7864b55d56dac0a1e6e24af9ccc35bf2555ac79af8ab9f3d1daa065ab83",
    "uci_regression/parkinsons_updrs.data": "52229b3075c2109a2c144f5584d88cc5ea99022a9a9eaa6d978b2e8e7c6bc501",
    "uci_regression/winequality-red.csv": "c9614512e980f1cbd221c796daa97f00c4898c3cd1716863abac60f6cd1a522e",
    "uci_regression/winequality-white.csv": "659d419fff887f225bf977d20520bb64a64cae203e460087f809721d4430ba27",
    "uci_sentiment_sentences/amazon_cells_labelled.txt": "47003fc0a0d4840b00e96e715b6189bad09e7443a3da41c4cbe12ffc79f86ae3",
    "uci_sentiment_sentences/imdb_labelled.txt": "aef2e49e3da25714d61175e3a6e68eeef74a20a2f914318dc3be9947ea86512d",
    "uci_sentiment_sentences/yelp_labelled.txt": "c76468b7b5c6e56a0804d728345c5f84aa2142ddb214420f61cc9cfd4c00d2ea",
    "wikitext2_valid_test/test.txt.xz": "d790b833ef8cf03a90db7bf1271b7520b83c45ce07ba3c1a9699df81e239eca0",
    "wikitext2_valid_test/valid.txt.xz": "f0737ed31fc1329026e95cb8b98e19c2a182c39c240ab909dc31abf2f8af58e8",
}

# Sets with a canonical address: file -> (address, sha256 of the file as it is served).
_FASHION = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"
_MNIST = "https://storage.googleapis.com/cvdf-datasets/mnist"
CANONICAL = {
    "fashion_mnist/train-images-idx3-ubyte.gz": (
        f"{_FASHION}/train-images-idx3-ubyte.gz",
        "b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7",
    ),
    "fashion_mnist/train-labels-idx1-ubyte.gz": (
        f"{_FASHION}/train-labels-idx1-ubyte.gz",
        "0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056",
    ),
    "fashion_mnist/t10k-images-idx3-ubyte.gz": (
        f"{_FASHION}/t10k-images-idx3-ubyte.gz",
        "cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa",
    ),
    "fashion_mnist/t10k-labels-idx1-ubyte.gz": (
        f"{_FASHION}/t10k-labels-idx1-ubyte.gz",
        "8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05",
    ),
    "mnist/train-images-idx3-ubyte.gz": (
        f"{_MNIST}/train-images-idx3-ubyte.gz",
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    ),
    "mnist/train-labels-idx1-ubyte.gz": (
        f"{_MNIST}/train-labels-idx1-ubyte.gz",
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    ),
    "mnist/t10k-images-idx3-ubyte.gz": (
        f"{_MNIST}/t10k-images-idx3-ubyte.gz",
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    ),
    "mnist/t10k-labels-idx1-ubyte.gz": (
        f"{_MNIST}/t10k-labels-idx1-ubyte.gz",
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    ),
    "tinyshakespeare/input.txt": (
        "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
        "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
    ),
}
