//! Masks: magnitude, schedules, dead units; retraining with masks held.
