"""Pictures of a run: PNG files in its folder, each with a title and a caption in pictures.json.

Every function takes the run's folder and a name first, and does nothing without a folder. Colours
are told apart by people who are colour-blind, and never carry a meaning alone where two kinds of
marks can; counts stand in the titles; the same numbers give the same picture.

`curves`: ROC, DET, reliability, histograms, a figure over levels. `scatter`: t-SNE and UMAP.
`bars`: figures side by side. `matrix`: confusion matrices and tables as heat maps.
`failures`: what went wrong, to look at.
"""
