"""`python -m local_aws.network`: the network of the account and who uses its subnets, as JSON.

It is read by the APIs alone. Subnets go by their addresses, and all that is in a subnet by where it is, so that a table
written by hand can stand beside it. The default VPC is left out.
"""

import json
import sys
from typing import Any

from .leftovers import client, pages


class Network:
    """What EC2 tells."""

    def __init__(self) -> None:
        default = {vpc["VpcId"] for vpc in pages("ec2", "describe_vpcs", "Vpcs") if vpc["IsDefault"]}

        def own(operation: str, key: str) -> list[Any]:
            return [item for item in pages("ec2", operation, key) if item["VpcId"] not in default]

        self.subnets = {item["SubnetId"]: item for item in own("describe_subnets", "Subnets")}
        self.endpoints = own("describe_vpc_endpoints", "VpcEndpoints")
        self.gateways = [item for item in own("describe_nat_gateways", "NatGateways") if item["State"] == "available"]
        self.tables = own("describe_route_tables", "RouteTables")
        # What stands behind a route, by its id.
        self.targets = {item["NatGatewayId"]: f"NAT gateway in {self.addresses(item['SubnetId'])}"
                        for item in self.gateways}
        self.targets |= {item["VpcEndpointId"]: f"endpoint in {self.addresses(*item['SubnetIds'])}"
                         for item in self.endpoints if item["VpcEndpointType"] == "GatewayLoadBalancer"}

    def addresses(self, *subnets: str) -> str:
        """The addresses of subnets, in the order given."""
        return ",".join(self.subnets[subnet]["CidrBlock"] if subnet in self.subnets else subnet for subnet in subnets)

    def routes(self) -> list[str]:
        """Who sends what where."""
        found = []
        for table in self.tables:
            users = [self.user(item) for item in table["Associations"]] or ["nobody"]
            for route in table["Routes"]:
                where = route.get("NatGatewayId") or route.get("GatewayId") or "nowhere"
                if where != "local" and "DestinationCidrBlock" in route:
                    target = self.targets.get(where, "internet" if where.startswith("igw-") else where)
                    found += [f"{user}: {route['DestinationCidrBlock']} > {target}" for user in users]
        return sorted(found)

    def user(self, association: dict[str, Any]) -> str:
        """Whose table it is."""
        if association.get("Main"):
            return "any other subnet"
        return self.addresses(association["SubnetId"]) if "SubnetId" in association else "internet"

    def services(self) -> dict[str, str]:
        """The endpoints of services, and where each is: in subnets, or for a gateway in the route tables of subnets."""
        tables = {table["RouteTableId"]: ",".join(map(self.user, table["Associations"])) for table in self.tables}
        found = {}
        for item in self.endpoints:
            if item["VpcEndpointType"] != "GatewayLoadBalancer":
                routed = [tables[table] for table in item.get("RouteTableIds", [])]
                found[item["ServiceName"]] = ",".join(routed) or self.addresses(*item["SubnetIds"])
        return found

    def addresses_of_gateways(self) -> list[str]:
        """The Elastic IP of each NAT gateway."""
        return [address["AllocationId"] for item in self.gateways for address in item["NatGatewayAddresses"]]


def studio(network: Network) -> dict[str, str]:
    """The subnets of domains, of their home directories, and of the jobs that their roles may run."""
    sagemaker, iam = client("sagemaker"), client("iam")
    found: dict[str, str] = {}
    for row in pages("sagemaker", "list_domains", "Domains"):
        domain = sagemaker.describe_domain(DomainId=row["DomainId"])
        found["domain"] = network.addresses(*domain["SubnetIds"])
        targets = client("efs").describe_mount_targets(FileSystemId=domain["HomeEfsFileSystemId"])["MountTargets"]
        found["home directories"] = ",".join(sorted(network.addresses(target["SubnetId"]) for target in targets))
        role = domain["DefaultUserSettings"]["ExecutionRole"].rpartition("/")[2]
        policy = iam.get_role_policy(RoleName=role, PolicyName="studio")["PolicyDocument"]
        jobs = next(item["Condition"]["ForAnyValue:StringNotEquals"]["sagemaker:VpcSubnets"]
                    for item in policy["Statement"] if item["Sid"] == "JobsOnlyInStudiosSubnets")
        found["jobs"] = network.addresses(*([jobs] if isinstance(jobs, str) else jobs))
    return found


def everything() -> dict[str, Any]:
    """All of it."""
    network = Network()
    return {
        "subnets": {item["CidrBlock"]: {"id": identity, "zone": item["AvailabilityZone"]}
                    for identity, item in network.subnets.items()},
        "routes": network.routes(),
        "services": network.services(),
        "addresses": network.addresses_of_gateways(),
        "studio": studio(network),
    }


if __name__ == "__main__":
    json.dump(everything(), sys.stdout, indent=1)
    print()
