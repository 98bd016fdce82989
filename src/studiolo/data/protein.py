"""Protein sequences with labels."""

from __future__ import annotations

from .files import load_content
from .tables import rows_of


SHA256 = {
    "remote_homology.test.csv.xz": "ecf3e618355a87ddd76c54f502059d228b0d58bdd3a3b24f8abc80f1fe4145ce",
    "remote_homology.train.csv.xz": "f39e9a7a2848c4b4efca891a1c8b6904fcae68a7d31b84648ef9e3c351380b0d",
    "remote_homology.valid.csv.xz": "11d088bdb6fd4a5ee9b5e3d1f41d958b47e478b6c3daa62d928811c413ed2935",
    "scop.test.csv.xz": "e329345ac6e2198ab118c528268c67e7359e2f171fa33b81c49c83f804c086da",
    "scop.train.csv.xz": "d03cf22b6f736d2a3250d61cdb93aba424ccca9e18ef3092dceedf7581589324",
    "secondary_structure.test.csv.xz": "b643ae12a320ee2a025be29a20d8bcf2ad499fa6a4b285c095b7b37044fccc5a",
    "secondary_structure.valid.csv.xz": "2b81de90a9f66bfcb1c6f49770bcdab11a43be146a3a81074fe3ba9658876784",
    "stability.test.csv.xz": "b79e72cdb00e524f7804d6437b80eb3be573aee3733a8e7d0b4c72917701f65b",
    "stability.train.csv.xz": "62cdebd9d680a0114326b4fba709e9753fdf2fb2238c8ec61ae388a55c3d1052",
    "stability.valid.csv.xz": "b569b6f997aedf167b99a4900e3ac30754d0c6d80ff7f803d6f3e1398261e450",
    "uniprot_query_500.fasta.xz": "c99bc94ada4ac5cb89d777100f2587186fe81ec0adcf1a7492c89cd050a4e7a2",
}


def proteins(task: str, split: str) -> list[tuple[str, str]]:
    """Return (sequence, label) of a protein table: remote_homology, scop, secondary_structure or stability.

    Raises:
        NeedsData: the set is not here.
    """
    file = f"{task}.{split}.csv.xz"
    rows = rows_of(load_content(f"protein/{file}", SHA256[file]))
    return [(row[0], row[1]) for row in rows[1:]]
