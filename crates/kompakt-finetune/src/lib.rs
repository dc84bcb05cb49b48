//! Centroids updated by the sum of their weights' gradients, masks held.
