#![no_main]

forerunner_fuzz::fuzz!("relay");
