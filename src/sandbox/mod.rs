//! An AWS account in memory: one world, one clock, AWS's wire protocols, and scenarios.

mod api;
mod autoscaling;
mod cloudformation;
mod ec2;
mod ecs;
mod kms;
mod paging;
mod s3;
mod scenario;
mod ssm;
mod wire;
mod world;
