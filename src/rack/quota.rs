//! How many vCPUs of a kind an account may run at once, and what it runs.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::error::PortError;

/// A quota of EC2: how many vCPUs of the instances that it counts may run at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VcpuQuota {
    /// The code in Service Quotas (service `ec2`), such as `L-1216C47A`.
    pub code: &'static str,
    /// The instances that it counts, such as `on-demand F`.
    pub counts: &'static str,
}

/// What counts instances whose types begin with these letters: on demand, and bought as spot
/// instances (EC2 user guide, "On-Demand Instance quotas" and "Spot Instance quotas"; the codes are
/// those of Service Quotas).
struct Class {
    letters: &'static [&'static str],
    on_demand: VcpuQuota,
    spot: Option<VcpuQuota>,
}

const fn quota(code: &'static str, counts: &'static str) -> VcpuQuota {
    VcpuQuota { code, counts }
}

const CLASSES: [Class; 10] = [
    Class {
        // `im4gn` and `is4gen` belong to I; whatever else begins with it has other letters too.
        letters: &[
            "a", "c", "d", "h", "i", "im", "is", "m", "r", "t", "z", "cc", "cr", "hs",
        ],
        on_demand: quota(
            "L-1216C47A",
            "on-demand standard (A, C, D, H, I, M, R, T, Z)",
        ),
        spot: Some(quota(
            "L-34B43A08",
            "standard (A, C, D, H, I, M, R, T, Z) spot",
        )),
    },
    Class {
        letters: &["f"],
        on_demand: quota("L-74FC7D96", "on-demand F"),
        spot: Some(quota("L-88CF9481", "F spot")),
    },
    Class {
        letters: &["g", "gr", "vt"],
        on_demand: quota("L-DB2E81BA", "on-demand G and VT"),
        spot: Some(quota("L-3819A6DF", "G and VT spot")),
    },
    Class {
        letters: &["inf"],
        on_demand: quota("L-1945791B", "on-demand Inf"),
        spot: Some(quota("L-B5D1601B", "Inf spot")),
    },
    Class {
        letters: &["p"],
        on_demand: quota("L-417A185B", "on-demand P"),
        spot: Some(quota("L-7212CCBC", "P4, P3 and P2 spot")),
    },
    Class {
        letters: &["x"],
        on_demand: quota("L-7295265B", "on-demand X"),
        spot: Some(quota("L-E3A00192", "X spot")),
    },
    Class {
        letters: &["trn"],
        on_demand: quota("L-2C3B7624", "on-demand Trn"),
        spot: Some(quota("L-6B0D517C", "Trn spot")),
    },
    Class {
        letters: &["dl"],
        on_demand: quota("L-6E869C2A", "on-demand DL"),
        spot: Some(quota("L-85EED4F7", "DL spot")),
    },
    Class {
        letters: &["u"],
        on_demand: quota("L-43DA4232", "on-demand High Memory"),
        spot: None,
    },
    Class {
        letters: &["hpc"],
        on_demand: quota("L-F7808C92", "on-demand HPC"),
        spot: None,
    },
];

impl VcpuQuota {
    /// Returns the quota that counts an instance, by its type, such as `t3.small`, and how it was
    /// bought. `None` for what no quota on vCPUs counts, and for types that are not known here.
    #[must_use]
    pub fn of(instance_type: &str, market: Market) -> Option<Self> {
        let family = instance_type.split('.').next().unwrap_or_default();
        let letters = family.find(|letter: char| !letter.is_ascii_alphabetic());
        let letters = &family[..letters.unwrap_or(family.len())];
        let mut classes = CLASSES.iter();
        let class = classes.find(|class| class.letters.contains(&letters))?;
        match market {
            Market::OnDemand => Some(class.on_demand),
            Market::Spot if letters == "p" && !has_one_spot_quota(family) => None,
            Market::Spot => class.spot,
            Market::Apart => None,
        }
    }
}

/// Tells whether the spot instances of a family of P share their quota: newer ones have one each.
fn has_one_spot_quota(family: &str) -> bool {
    ["p2", "p3", "p4"].iter().any(|old| family.starts_with(old))
}

/// How an instance was bought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Market {
    /// On demand, reserved ones included.
    OnDemand,
    /// On the spot market.
    Spot,
    /// In a capacity block or on a dedicated host, which have quotas of their own.
    Apart,
}

/// An instance that is pending or running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningInstance {
    /// The id.
    pub id: String,
    /// The type, such as `t3.small`.
    pub instance_type: String,
    /// How it was bought.
    pub market: Market,
}

/// What an account may run of EC2, and runs.
#[async_trait]
pub trait Quotas: Send + Sync {
    /// Lists every instance of the account and region that is pending or running, in a rack or not.
    ///
    /// # Errors
    /// The call's.
    async fn running(&self) -> Result<Vec<RunningInstance>, PortError>;
    /// Says how many vCPUs an instance of each of these types has; types that EC2 does not know may
    /// be left out.
    ///
    /// # Errors
    /// The call's.
    async fn vcpus(&self, types: &[String]) -> Result<BTreeMap<String, u32>, PortError>;
    /// Says how many vCPUs a quota lets run at once in this account and region.
    ///
    /// # Errors
    /// [`PortError::NotFound`] where Service Quotas does not know the quota, and the call's.
    async fn quota(&self, quota: VcpuQuota) -> Result<f64, PortError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_is_counted_by_the_quota_of_its_class() {
        for (name, market, code) in [
            ("t3.small", Market::OnDemand, Some("L-1216C47A")),
            ("im4gn.large", Market::OnDemand, Some("L-1216C47A")),
            ("z1d.large", Market::OnDemand, Some("L-1216C47A")),
            ("m5.large", Market::Spot, Some("L-34B43A08")),
            ("m5.large", Market::Apart, None),
            ("f1.2xlarge", Market::OnDemand, Some("L-74FC7D96")),
            ("vt1.3xlarge", Market::OnDemand, Some("L-DB2E81BA")),
            ("g4dn.xlarge", Market::Spot, Some("L-3819A6DF")),
            ("inf2.xlarge", Market::OnDemand, Some("L-1945791B")),
            ("p5.48xlarge", Market::OnDemand, Some("L-417A185B")),
            ("p4d.24xlarge", Market::Spot, Some("L-7212CCBC")),
            ("p5.48xlarge", Market::Spot, None),
            ("x2gd.metal", Market::OnDemand, Some("L-7295265B")),
            ("u-6tb1.metal", Market::OnDemand, Some("L-43DA4232")),
            ("u7i-12tb.224xlarge", Market::Spot, None),
            ("mac2.metal", Market::OnDemand, None),
            ("", Market::OnDemand, None),
        ] {
            let quota = VcpuQuota::of(name, market);
            assert_eq!(quota.map(|it| it.code), code, "{name} {market:?}");
        }
    }
}
