//! An AWS account in memory: one world, one clock, AWS's wire protocols, and scenarios.

mod api;
mod autoscaling;
mod cloudformation;
mod ec2;
mod ecs;
mod hidden;
mod kms;
mod paging;
mod s3;
mod scenario;
mod ssm;
mod sts;
mod wire;
mod world;
