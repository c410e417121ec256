"""Plots of a run: PNG files in its folder, with title and caption of each in pictures.json.

Every function takes the run's folder and a name first, and does nothing without a folder. Colours
are distinguishable for colour-blind readers, and marks differ in shape as well where possible;
titles contain the counts; equal numbers give equal pictures.

`curves`: ROC, DET, reliability, histograms, a figure over levels. `scatter`: t-SNE and UMAP.
`bars`: figures side by side. `matrix`: confusion matrices and tables as heat maps. `failures`: the
worst errors as pictures.
"""
