#![no_main]

forerunner_fuzz::fuzz!("sealed");
