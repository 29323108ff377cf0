"""The libraries behind the skills. Only modules in here import cv2 or onnxruntime, and only when they are called."""
