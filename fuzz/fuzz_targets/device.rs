#![no_main]

forerunner_fuzz::fuzz!("device");
