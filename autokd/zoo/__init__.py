"""Catalogue of timm students: building, counting and sifting them by compression ratio."""
