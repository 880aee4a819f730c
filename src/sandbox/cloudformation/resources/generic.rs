//! Every other type: it appears at once, with a plausible id and plausible attributes.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::template::EvaluatedResource;

use super::super::super::world::World;
use super::super::event::STACK;
use super::super::stack::Resource;
use super::{Begun, Made, Site, moment, nested};

pub(super) fn create(world: &mut World, site: &Site, wanted: &EvaluatedResource) -> Made {
    let physical_id = physical_id(world, site, &wanted.kind);
    let begun = Begun::Soon(moment(world));
    Made {
        physical_id,
        attributes: BTreeMap::new(),
        begun,
    }
}

fn physical_id(world: &mut World, site: &Site, kind: &str) -> String {
    let prefix = match kind {
        "AWS::EC2::SecurityGroup" => "sg",
        "AWS::EC2::SecurityGroupIngress" => "sgr",
        "AWS::EC2::Subnet" => "subnet",
        "AWS::EC2::SubnetRouteTableAssociation" => "rtbassoc",
        "AWS::EC2::RouteTable" => "rtb",
        "AWS::EC2::NatGateway" => "nat",
        "AWS::EC2::InternetGateway" => "igw",
        "AWS::EC2::VPC" => "vpc",
        "AWS::EFS::FileSystem" => "fs",
        "AWS::EFS::MountTarget" => "fsmt",
        _ => "",
    };
    if !prefix.is_empty() {
        return world.chance.id(prefix);
    }
    let name = site.unique_name(world);
    let (service, rest) = match kind {
        "AWS::SNS::Topic" => ("sns", name),
        "AWS::ElasticLoadBalancingV2::LoadBalancer" => {
            let id = world.chance.hex(16);
            (
                "elasticloadbalancing",
                format!("loadbalancer/app/{name}/{id}"),
            )
        }
        "AWS::ElasticLoadBalancingV2::TargetGroup" => {
            let id = world.chance.hex(16);
            ("elasticloadbalancing", format!("targetgroup/{name}/{id}"))
        }
        "AWS::CertificateManager::Certificate" => {
            ("acm", format!("certificate/{}", world.chance.uuid()))
        }
        "AWS::IAM::ManagedPolicy" => {
            return format!("arn:aws:iam::{}:policy/{name}", world.account);
        }
        "AWS::SQS::Queue" => {
            let (region, account) = (&world.region, &world.account);
            return format!("https://sqs.{region}.amazonaws.com/{account}/{name}");
        }
        "AWS::CloudFormation::WaitConditionHandle" => {
            let (region, stack) = (&world.region, &site.stack_name);
            return format!(
                "https://cloudformation-waitcondition-{region}.s3.amazonaws.com/{stack}/{name}"
            );
        }
        "AWS::CloudFormation::WaitCondition" => ("cloudformation", format!("waitCondition/{name}")),
        _ => return name,
    };
    world.arn(service, &rest)
}

/// Makes up an attribute that nobody recorded, the same each time.
pub(in super::super) fn likely_attribute(
    world: &World,
    resource: &Resource,
    attribute: &str,
) -> Value {
    let id = &resource.physical_id;
    if resource.kind == "AWS::SSM::Parameter" && attribute == "Value" {
        return world.ssm_value(id).unwrap_or_default().into();
    }
    if resource.kind == STACK
        && let Some(output) = attribute.strip_prefix("Outputs.")
        && let Some(value) = nested::output(world, id, output)
    {
        return value;
    }
    let name = id.rsplit(['/', ':']).next().unwrap_or(id);
    match attribute {
        "Arn" | "TopicArn" if id.starts_with("arn:") => id.as_str().into(),
        "Arn" if resource.kind.starts_with("AWS::IAM::") => {
            let sort = resource.kind.rsplit("::").next().unwrap_or_default();
            let sort = match sort {
                "InstanceProfile" => "instance-profile",
                "Role" => "role",
                other => other,
            };
            format!("arn:aws:iam::{}:{sort}/{id}", world.account).into()
        }
        "Arn" => {
            let service = resource
                .kind
                .split("::")
                .nth(1)
                .unwrap_or("aws")
                .to_lowercase();
            world.arn(&service, name).into()
        }
        "DNSName" | "DomainName" | "Endpoint.Address" => {
            let load_balancer = id.split('/').nth(2).unwrap_or(name).to_lowercase();
            format!("{load_balancer}.{}.elb.amazonaws.com", world.region).into()
        }
        "CanonicalHostedZoneID" => "Z35SXDOTRQ7X7K".into(),
        "AllocationId" => format!("eipalloc-{}", name.to_lowercase()).into(),
        "QueueName" | "TopicName" | "Name" => name.into(),
        _ => format!("{id}.{attribute}").into(),
    }
}
