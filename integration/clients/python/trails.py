"""Calls every operation by which AWS's clients read the trails: trails.py KEY.

KEY is the ARN of a key that has just been made. What is answered is compared with
botocore's service models: it has no member that they lack, and only values of their types.
"""

import json
import sys
import time

import boto3
from botocore.exceptions import ClientError

key, answered = sys.argv[1], set()


def check(shape, value, where):
    """Fails unless a value of an answer is one of the model's."""
    types = {"string": str, "blob": str, "boolean": bool, "integer": int, "long": int, "timestamp": (int, float)}
    if shape.type_name == "structure":
        assert isinstance(value, dict) and set(value) <= set(shape.members), f"{where}: {value}"
        for name, member in value.items():
            check(shape.members[name], member, f"{where}.{name}")
    elif shape.type_name == "list":
        for member in value:
            check(shape.member, member, where)
    else:
        assert isinstance(value, types[shape.type_name]), f"{where}: {value}"
        assert value in (getattr(shape, "enum", None) or [value]), f"{where}: {value}"


def compare(operation_model, response_dict, **_):
    if response_dict["status_code"] == 200:
        answered.add(operation_model.name)
        check(operation_model.output_shape, json.loads(response_dict["body"]), operation_model.name)


def client(service):
    made = boto3.client(service)
    made.meta.events.register(f"before-parse.{service}", compare)
    return made


def refused(code, call, **request):
    try:
        call(**request)
    except ClientError as e:
        assert e.response["Error"]["Code"] == code, e
        return e.response["Error"]["Message"]
    raise AssertionError(f"{request} is not refused")


def read_events():
    trail = client("cloudtrail")
    attribute = [{"AttributeKey": "ResourceName", "AttributeValue": key}]
    pages = trail.get_paginator("lookup_events").paginate(LookupAttributes=attribute, PaginationConfig={"PageSize": 1})
    events = [e for page in pages for e in page["Events"]]
    made = events[-1]
    assert (made["EventName"], made["ReadOnly"], made["Username"]) == ("CreateKey", "false", "admin"), made
    assert json.loads(made["CloudTrailEvent"])["eventID"] == made["EventId"]
    assert abs(made["EventTime"].timestamp() - time.time()) < 600
    refused("InvalidLookupAttributesException", trail.lookup_events, LookupAttributes=attribute * 2)
    refused("InvalidMaxResultsException", trail.lookup_events, MaxResults=51)
    refused("InvalidNextTokenException", trail.lookup_events, NextToken="x")
    refused("InvalidTimeRangeException", trail.lookup_events, StartTime=2_000_000_000, EndTime=1_000_000_000)

    described = trail.describe_trails()["trailList"][0]
    assert trail.get_trail(Name=described["TrailARN"])["Trail"] == described
    assert trail.list_trails()["Trails"][0]["TrailARN"] == described["TrailARN"]
    assert trail.get_trail_status(Name=described["Name"])["IsLogging"]
    refused("TrailNotFoundException", trail.get_trail, Name="another")
    trail.list_public_keys()


def tail(logs, group, since):
    """Reads a group to its end, as `aws logs tail` does."""
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group, interleaved=True, startTime=since)
    return [event for page in pages for event in page["events"]]


def read_logs(group):
    logs = client("logs")
    described = [g for page in logs.get_paginator("describe_log_groups").paginate() for g in page["logGroups"]]
    assert group in [g["logGroupName"] for g in described], described
    streams = logs.describe_log_streams(logGroupName=group)["logStreams"]
    stream = max(streams, key=lambda s: s.get("lastEventTimestamp", 0))["logStreamName"]

    events, token = [], None
    while True:
        place = {"nextToken": token} if token else {}
        page = logs.get_log_events(
            logGroupName=group, logStreamName=stream, startFromHead=True, limit=3, **place
        )
        events += page["events"]
        if page["nextForwardToken"] == token:
            break
        token = page["nextForwardToken"]
    made = [e for e in events if "Opcode : CN_GENERATE_KEY (0x17)" in e["message"]]
    assert made and made[-1]["message"].startswith("Time: ") and abs(made[-1]["timestamp"] / 1000 - time.time()) < 600

    newest = logs.get_log_events(logGroupName=group, logStreamName=stream, limit=1)
    before = logs.get_log_events(
        logGroupName=group, logStreamName=stream, limit=1, nextToken=newest["nextBackwardToken"]
    )
    assert before["events"][0]["timestamp"] <= newest["events"][0]["timestamp"]

    tailed = tail(logs, group, 0)
    assert {e["message"] for e in events} <= {e["message"] for e in tailed}
    assert len({e["eventId"] for e in tailed}) == len(tailed)
    assert tail(logs, group, int(time.time() * 1000) + 3_600_000) == []
    refused("ResourceNotFoundException", logs.get_log_events, logGroupName=group, logStreamName="none")
    message = refused("InvalidParameterException", logs.filter_log_events, logGroupName=group, filterPattern="{ $.x = 1 }")
    assert "JSON" in message, message
    refused("InvalidParameterException", logs.describe_log_groups, limit=51)


def read_clusters():
    hsm = client("cloudhsmv2")
    clusters = [c for page in hsm.get_paginator("describe_clusters").paginate() for c in page["Clusters"]]
    active = [c for c in clusters if c["State"] == "ACTIVE"]
    assert active[0]["Hsms"][0]["State"] == "ACTIVE", clusters
    some = hsm.describe_clusters(Filters={"clusterIds": [active[0]["ClusterId"]]})["Clusters"]
    assert [c["ClusterId"] for c in some] == [active[0]["ClusterId"]]
    assert hsm.describe_clusters(Filters={"states": ["DELETED"]})["Clusters"] == []
    refused("SerializationException", hsm.describe_clusters, Filters={"clusterIDs": ["x"]})
    return active


read_events()
for cluster in read_clusters():
    group = "/aws/cloudhsm/" + cluster["ClusterId"]
    if cluster["Hsms"] and cluster["ClusterId"] != "cluster-strongroomdev":
        read_logs(group)
print(len(answered), "operations")
