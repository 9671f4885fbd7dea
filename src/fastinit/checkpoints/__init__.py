"""Checkpoints: a plan -> safetensors files, and back: are the values those of a plan?"""
