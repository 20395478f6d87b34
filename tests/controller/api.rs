//! The CustomResourceDefinitions beside Flux's.
