//! Captures that a packet library makes, spoilt in every way in which real ones are.

mod wire;
mod links;
mod streams;
mod recognition;
mod bounds;
mod properties;
