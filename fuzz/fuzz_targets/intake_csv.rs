#![no_main]

forerunner_fuzz::fuzz!("intake_csv");
