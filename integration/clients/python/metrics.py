"""Reads metrics as CloudWatch's clients do, in both protocols that boto3 has for it.

It makes keys meanwhile: the HSM that they are in must show them.
"""

import datetime
import time

import boto3
import botocore.session
from botocore.exceptions import ClientError

NAMESPACE, NAME = "AWS/CloudHSM", "HsmKeysTokenOccupied"


def client(protocol):
    """A client of CloudWatch that speaks a protocol, which boto3 would choose by itself."""
    session = botocore.session.get_session()
    model = session.get_component("data_loader").load_service_model("cloudwatch", "service-2")
    model["metadata"]["protocols"] = [protocol]
    made, seen = boto3.Session(botocore_session=session).client("cloudwatch"), set()
    made.meta.events.register("request-created.cloudwatch", lambda request, **_: seen.add(request.headers["Content-Type"]))
    return made, seen


def refused(code, call, **request):
    try:
        call(**request)
    except ClientError as e:
        assert e.response["Error"]["Code"] == code, e
        return e.response["Error"]["Message"]
    raise AssertionError(f"{request} is not refused")


def since(minutes):
    now = datetime.datetime.now(datetime.timezone.utc)
    return {"StartTime": now - datetime.timedelta(minutes=minutes), "EndTime": now + datetime.timedelta(seconds=1)}


def metrics(cloudwatch):
    pages = cloudwatch.get_paginator("list_metrics").paginate(
        Namespace=NAMESPACE, MetricName=NAME, Dimensions=[{"Name": "HsmId"}], RecentlyActive="PT3H"
    )
    found = [m for page in pages for m in page["Metrics"]]
    assert all(m["Namespace"] == NAMESPACE and m["MetricName"] == NAME for m in found), found
    return found


def statistics(cloudwatch, metric, window):
    points = cloudwatch.get_metric_statistics(
        **metric, **window, Period=60, Statistics=["Maximum", "Minimum", "Average", "Sum", "SampleCount"]
    )["Datapoints"]
    for p in points:
        assert p["Unit"] == "Count" and p["Minimum"] <= p["Average"] <= p["Maximum"], p
        assert abs(p["Sum"] / p["SampleCount"] - p["Average"]) < 1e-9, p
    return points


def data(cloudwatch, all_metrics, window):
    queries = [
        {"Id": f"m{i}", "Label": f"label {i}", "MetricStat": {"Metric": m, "Period": 60, "Stat": "Maximum"}}
        for i, m in enumerate(all_metrics)
    ]
    pages = cloudwatch.get_paginator("get_metric_data").paginate(
        MetricDataQueries=queries, **window, ScanBy="TimestampAscending", MaxDatapoints=2
    )
    values = {q["Id"]: [] for q in queries}
    for page in pages:
        for r in page["MetricDataResults"]:
            assert r["Label"] == "label " + r["Id"][1:], r
            values[r["Id"]] += zip(r["Timestamps"], r["Values"])
    return [values[q["Id"]] for q in queries]


def newest(cloudwatch):
    """The most keys that an HSM has had in the newest minute, by the HSM's id."""
    found = metrics(cloudwatch)
    return {
        d["Value"]: points[-1][1]
        for metric, points in zip(found, data(cloudwatch, found, since(2)))
        for d in metric["Dimensions"]
        if d["Name"] == "HsmId" and points
    }


def await_keys(cloudwatch, good):
    """Waits until the keys of HSMs are as they must be, and returns them."""
    deadline = time.time() + 60
    while not good(keys := newest(cloudwatch)):
        assert time.time() < deadline, keys
        time.sleep(0.2)
    return keys


def watch_keys_being_made(cloudwatch):
    before = await_keys(cloudwatch, bool)
    kms = boto3.client("kms")
    for _ in range(3):
        kms.create_key()
    await_keys(cloudwatch, lambda keys: any(n >= before[hsm] + 3 for hsm, n in keys.items() if hsm in before))


def refusals(cloudwatch, metric):
    nothing = {**metric, **since(10), "Period": 60}
    asked = {**nothing, "Statistics": ["Maximum"]}
    day = {"StartTime": asked["EndTime"] - datetime.timedelta(days=2)}
    message = refused("InvalidParameterCombination", cloudwatch.get_metric_statistics, **{**asked, **day})
    assert message.startswith("You have requested up to 288"), message
    refused("InvalidParameterValue", cloudwatch.get_metric_statistics, **{**asked, "Period": 30})
    refused("MissingParameter", cloudwatch.get_metric_statistics, **nothing)
    refused("InvalidParameterValue", cloudwatch.list_metrics, NextToken="x")
    query = {"Id": "m", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Maximum"}}
    refused("InvalidNextToken", cloudwatch.get_metric_data, **since(10), MetricDataQueries=[query], NextToken="x")
    message = refused("ValidationError", cloudwatch.get_metric_data, **since(10), MetricDataQueries=[{"Id": "m", "Expression": "1+1"}])
    assert "metric math" in message, message
    refused("UnknownOperationException", cloudwatch.describe_alarms)


cbor, cbor_types = client("smithy-rpc-v2-cbor")
json, json_types = client("json")
watch_keys_being_made(cbor)
watch_keys_being_made(json)
assert (cbor_types, json_types) == ({"application/cbor"}, {"application/x-amz-json-1.0"}), (cbor_types, json_types)

over = datetime.datetime.now(datetime.timezone.utc).replace(second=0, microsecond=0)
window = {"StartTime": over - datetime.timedelta(minutes=5), "EndTime": over}
assert any(statistics(cbor, metric, since(2)) for metric in metrics(cbor))
for metric in metrics(cbor):
    assert statistics(cbor, metric, window) == statistics(json, metric, window)
    for speaking in (cbor, json):
        refusals(speaking, metric)
        none = speaking.get_metric_statistics(**metric, **since(2), Period=60, Statistics=["Sum"], Unit="Percent")
        assert none["Label"] == NAME and none["Datapoints"] == [], none
assert cbor.list_metrics(Namespace="AWS/EC2")["Metrics"] == []
print("read in both protocols")
