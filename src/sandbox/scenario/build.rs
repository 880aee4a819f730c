//! Builds the world of a scenario, through the same handlers that answer its callers.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::file::{Scenario, ScenarioError};
use super::{App, Balancer, Faults, Rack};
use crate::envelope;
use crate::sandbox::api::{AwsError, Input};
use crate::sandbox::balancers::TargetGroup;
use crate::sandbox::wire::{self, Service};
use crate::sandbox::world::World;

/// The rack's template.
const RACK: &str = include_str!("../../../fixtures/rack.yaml");
/// How long before the start the rack is made, so that it is at rest by then.
const AGE: Duration = Duration::from_secs(7 * 24 * 3600);
/// The longest template that a request may carry (CloudFormation quotas).
const LONGEST_BODY: usize = 51_200;
/// The bucket for longer ones.
const TEMPLATES: &str = "sandbox-templates";

impl World {
    /// Makes the world of a scenario as it is at `now`.
    ///
    /// # Errors
    /// When the template cannot be read, or the rack does not come up.
    pub fn of_scenario(scenario: &Scenario, now: Timestamp) -> Result<Self, ScenarioError> {
        let born = now.saturating_sub(AGE).unwrap_or(now);
        let mut world = Self::new(born, scenario.seed);
        world.pace = scenario.rack.pace.clone();
        let racks = scenario.all_racks();
        let mut builder = Builder {
            scenario,
            world: &mut world,
        };
        // Side by side, so that many take no longer than one.
        let mut made = Vec::new();
        for rack in &racks {
            let key = format!("{}-keypair-4711", rack.name);
            let private = builder.create_key_pair(&key)?;
            if made.is_empty() {
                builder.put_objects()?;
            }
            builder.create_rack(rack, &key)?;
            made.push((key, private));
        }
        for rack in &racks {
            builder.await_rack(&rack.name)?;
        }
        let mut services = Vec::new();
        for (rack, (_, private)) in racks.iter().zip(&made) {
            builder.seal_private_key(&rack.name, private)?;
            services.extend(builder.start_services(rack)?);
        }
        builder.await_services(&services)?;
        let racks = racks.into_iter().map(|rack| rack.name);
        let racks: Vec<_> = racks.zip(made.into_iter().map(|(key, _)| key)).collect();
        world.advance_to(now);
        Faults::install(&mut world, &scenario.faults, &racks);
        Ok(world)
    }
}

struct Builder<'a> {
    scenario: &'a Scenario,
    world: &'a mut World,
}

impl Builder<'_> {
    fn call(
        &mut self,
        what: &str,
        service: Service,
        action: &str,
        input: Value,
    ) -> Result<Value, ScenarioError> {
        wire::dispatch(self.world, service, action, &Input(input)).map_err(|e| refused(what, e))
    }

    fn create_key_pair(&mut self, name: &str) -> Result<String, ScenarioError> {
        let what = "make the key pair";
        let input = json!({ "KeyName": name, "KeyType": "ed25519" });
        let made = self.call(what, Service::Ec2, "CreateKeyPair", input)?;
        Ok(made["keyMaterial"].as_str().unwrap_or_default().to_owned())
    }

    fn put_objects(&mut self) -> Result<(), ScenarioError> {
        let what = "store the objects";
        for (place, file) in &self.scenario.objects {
            let body = std::fs::read(file).map_err(|source| ScenarioError::Read {
                path: file.clone(),
                source,
            })?;
            let Some((bucket, key)) = place.split_once('/') else {
                let error = AwsError::validation(format!("`{place}` is not a bucket and a key"));
                return Err(refused(what, error));
            };
            self.world.create_bucket(bucket);
            self.world
                .put_object(bucket, key, &body)
                .map_err(|error| refused(what, error))?;
        }
        Ok(())
    }

    fn create_rack(&mut self, rack: &Rack, key: &str) -> Result<(), ScenarioError> {
        let what = "make the rack";
        let mut input = json!({
            "StackName": rack.name,
            "Parameters": self.parameters(rack, key),
            "Capabilities": ["CAPABILITY_IAM"],
            "Tags": [
                { "Key": "System", "Value": "convox" },
                { "Key": "Type", "Value": "rack" },
                { "Key": "Name", "Value": rack.name },
            ],
        });
        let template = self.template()?;
        if template.len() <= LONGEST_BODY {
            input["TemplateBody"] = json!(template);
        } else {
            self.world.create_bucket(TEMPLATES);
            self.world
                .put_object(TEMPLATES, "rack", template.as_bytes())
                .map_err(|e| refused(what, e))?;
            let url = format!(
                "https://{TEMPLATES}.s3.{}.amazonaws.com/rack",
                self.world.region
            );
            input["TemplateURL"] = json!(url);
        }
        self.call(what, Service::CloudFormation, "CreateStack", input)?;
        Ok(())
    }

    /// Lets time pass until a rack is there.
    fn await_rack(&mut self, name: &str) -> Result<(), ScenarioError> {
        loop {
            let status = self.rack(name)?["StackStatus"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            match (status.as_str(), self.world.agenda.next_at()) {
                ("CREATE_COMPLETE", _) => return Ok(()),
                ("CREATE_IN_PROGRESS", Some(next)) => self.world.advance_to(next),
                _ => return Err(ScenarioError::Broken(status)),
            }
        }
    }

    fn template(&self) -> Result<String, ScenarioError> {
        let Some(path) = &self.scenario.template else {
            return Ok(RACK.to_owned());
        };
        std::fs::read_to_string(path).map_err(|source| ScenarioError::Read {
            path: path.clone(),
            source,
        })
    }

    fn parameters(&self, rack: &Rack, key: &str) -> Value {
        let mut all = BTreeMap::from([
            ("Key".to_owned(), key.to_owned()),
            ("Password".to_owned(), "sandbox-password".to_owned()),
            ("Version".to_owned(), "20260421154107".to_owned()),
            ("InstanceCount".to_owned(), rack.instances.to_string()),
            ("InstanceUpdateBatchSize".to_owned(), rack.batch.to_string()),
        ]);
        if self.scenario.template.is_none() {
            all.insert("InstancePauseTime".to_owned(), iso(rack.pause.0));
            let mut set = |name: &str, value: String| all.insert(name.to_owned(), value);
            if let Some(count) = rack.min_in_service {
                set("MinInstancesInService", count.to_string());
            }
            if rack.build {
                set("BuildInstance", "t3.small".to_owned());
            }
            if rack.spot {
                set("SpotInstanceBid", "0.02".to_owned());
            }
        }
        all.extend(self.scenario.parameters.clone());
        all.into_iter()
            .map(|(name, value)| json!({ "ParameterKey": name, "ParameterValue": value }))
            .collect()
    }

    fn rack(&mut self, name: &str) -> Result<Value, ScenarioError> {
        let input = json!({ "StackName": name });
        let what = "look at the rack";
        let mut found = self.call(what, Service::CloudFormation, "DescribeStacks", input)?;
        Ok(found["Stacks"][0].take())
    }

    fn output(&mut self, rack: &str, name: &str) -> Result<Option<String>, ScenarioError> {
        let rack = self.rack(rack)?;
        let outputs = rack["Outputs"].as_array().into_iter().flatten();
        let found = outputs.filter(|output| output["OutputKey"] == name);
        Ok(found
            .filter_map(|output| output["OutputValue"].as_str())
            .next()
            .map(str::to_owned))
    }

    /// Keeps the private key where a classic rack keeps it, in the form in which it does.
    fn seal_private_key(&mut self, rack: &str, private: &str) -> Result<(), ScenarioError> {
        let what = "store the private key";
        let (Some(bucket), Some(key)) = (
            self.output(rack, "SettingsBucket")?,
            self.output(rack, "EncryptionKey")?,
        ) else {
            return Ok(());
        };
        let input = json!({ "KeyId": key, "KeySpec": "AES_256" });
        let made = self.call(what, Service::Kms, "GenerateDataKey", input)?;
        let bytes = |name: &str| {
            let text = made[name].as_str().unwrap_or_default();
            STANDARD.decode(text).unwrap_or_default()
        };
        let data_key = bytes("Plaintext").try_into().unwrap_or_default();
        let wrapped = bytes("CiphertextBlob");
        let nonce = self.world.random_bytes(24).try_into().unwrap_or_default();
        let sealed = envelope::seal(&data_key, &wrapped, &nonce, private.as_bytes())
            .map_err(|error| refused(what, AwsError::new(500, "Envelope", error.to_string())))?;
        self.world
            .put_object(&bucket, "instance-key", sealed.as_bytes())
            .map_err(|error| refused(what, error))?;
        Ok(())
    }

    fn start_services(&mut self, rack: &Rack) -> Result<Vec<String>, ScenarioError> {
        let Some(cluster) = self.output(&rack.name, "Cluster")? else {
            return Ok(Vec::new());
        };
        let mut arns = Vec::new();
        for app in &rack.services {
            let App {
                name, processes, ..
            } = app;
            let family = format!("{}-{name}", rack.name);
            let task = self.world.register_task_definition(&json!({
                "Family": family,
                "ContainerDefinitions": [{
                    "Name": name, "Image": format!("registry/{name}:1"), "Cpu": 64, "Memory": 128,
                    "Essential": true,
                }],
            }));
            let mut service = json!({
                "Cluster": cluster,
                "ServiceName": family,
                "TaskDefinition": task,
                "DesiredCount": processes,
                "DeploymentConfiguration": { "MinimumHealthyPercent": 50, "MaximumPercent": 200 },
            });
            if let Some(balancer) = &app.balancer {
                let group = self.create_target_group(&family, balancer);
                service["LoadBalancers"] = json!([{
                    "TargetGroupArn": group, "ContainerName": name, "ContainerPort": 80,
                }]);
                service["HealthCheckGracePeriodSeconds"] = json!(balancer.grace.0.as_secs());
            }
            let arn = self
                .world
                .create_service(&family, &service)
                .map_err(|error| refused("start the apps", error))?;
            arns.push(arn);
        }
        Ok(arns)
    }

    /// Makes the target group of a service and returns its ARN.
    fn create_target_group(&mut self, name: &str, balancer: &Balancer) -> String {
        let id = self.world.chance.hex(16);
        let place = format!("targetgroup/{name}/{id}");
        let arn = self.world.arn("elasticloadbalancing", &place);
        self.world.put_target_group(TargetGroup {
            interval: balancer.interval.0,
            healthy_threshold: balancer.healthy,
            unhealthy_threshold: balancer.unhealthy,
            deregistration_delay: balancer.delay.0,
            ..TargetGroup::new(&arn)
        });
        arn
    }

    /// Lets time pass until services run as they should.
    fn await_services(&mut self, arns: &[String]) -> Result<(), ScenarioError> {
        // One that was stable may have begun to move again while others were waited for.
        while !arns.iter().all(|arn| self.world.service_is_stable(arn)) {
            for arn in arns {
                self.await_service(arn)?;
            }
        }
        Ok(())
    }

    fn await_service(&mut self, arn: &str) -> Result<(), ScenarioError> {
        while !self.world.service_is_stable(arn) {
            let Some(next) = self.world.agenda.next_at() else {
                return Err(ScenarioError::Broken("apps that do not start".to_owned()));
            };
            self.world.advance_to(next);
        }
        Ok(())
    }
}

fn refused(what: &str, error: AwsError) -> ScenarioError {
    ScenarioError::Refused {
        what: what.to_owned(),
        error,
    }
}

/// Writes a length of time as templates do, such as `PT5M`.
fn iso(span: Duration) -> String {
    match span.as_secs() {
        seconds if seconds % 60 == 0 => format!("PT{}M", seconds / 60),
        seconds => format!("PT{seconds}S"),
    }
}
