//! Principal components: fitted once, then the first linear layer of a network.
