#![no_std]
//! pure
