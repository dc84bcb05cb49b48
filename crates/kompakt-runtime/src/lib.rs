//! The loader: map, plan, run from the map.
