package describe_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/strongroom-kms/strongroom/proto/describe"
	annotationsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/annotations/v1"
)

// trailServices are the facts of the services that read the trails, and metrics: how requests to them
// are addressed, signed and allowed.
func trailServices() map[string]string {
	return map[string]string{
		"strongroom.cloudtrail.v1.CloudTrailService": "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101 1.1 cloudtrail 2013-11-01 cloudtrail.amazonaws.com cloudtrail: ValidationException",
		"strongroom.logs.v1.LogsService":             "Logs_20140328 1.1 logs 2014-03-28 logs.amazonaws.com logs: InvalidParameterException",
		"strongroom.cloudhsm.v1.CloudHsmService":     "BaldrApiService 1.1 cloudhsm 2017-04-28 cloudhsm.amazonaws.com cloudhsm: CloudHsmInvalidRequestException",
		"strongroom.cloudwatch.v1.CloudWatchService": "GraniteServiceVersion20100801 1.0 monitoring 2010-08-01 monitoring.amazonaws.com cloudwatch: ValidationException",
	}
}

func TestTrailServicesAreAsAWSHasThem(t *testing.T) {
	got := make(map[string]string)
	for _, s := range compiled(t).Services()[2:] {
		got[string(s.FullName)] = strings.Join([]string{
			s.TargetPrefix, s.JSONVersion, s.SigningName, s.APIVersion, s.EventSource, s.IAMPrefix + ":", describe.ErrorOf(s.ValidationError).Name,
		}, " ")
	}
	if diff := cmp.Diff(trailServices(), got); diff != "" {
		t.Errorf("services (-AWS +proto):\n%s", diff)
	}
}

// Each reads, is an action of its own name, and is found by its target.
func TestTrailOperationsAreAsAWSHasThem(t *testing.T) {
	want := []string{
		"cloudtrail:LookupEvents", "cloudtrail:DescribeTrails", "cloudtrail:GetTrail", "cloudtrail:GetTrailStatus", "cloudtrail:ListTrails", "cloudtrail:ListPublicKeys",
		"logs:DescribeLogGroups", "logs:DescribeLogStreams", "logs:GetLogEvents", "logs:FilterLogEvents",
		"cloudhsm:DescribeClusters",
		"cloudwatch:ListMetrics", "cloudwatch:GetMetricData", "cloudwatch:GetMetricStatistics",
	}
	api, got := compiled(t), []string(nil)
	for _, s := range api.Services()[2:] {
		for _, m := range s.Methods {
			got = append(got, m.Actions...)
			if !m.ReadOnly || m.ServerStreaming || m.EventResponse || api.Target(s.TargetPrefix+"."+m.Name) != m {
				t.Errorf("%s: read-only %t, streams %t, shows its answer %t", m.Name, m.ReadOnly, m.ServerStreaming, m.EventResponse)
			}
			onGroup := m.Resource == annotationsv1.ResourceKind_RESOURCE_KIND_LOG_GROUP
			if onGroup != (s.IAMPrefix == "logs") {
				t.Errorf("%s is on %v", m.Name, m.Resource)
			}
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("actions %v, want %v", got, want)
	}
}

// SDKs that Smithy makes send what is behind the last dot of the prefix, the others all
// of it.
func TestATargetHasTheWholePrefixOrItsLastName(t *testing.T) {
	api := compiled(t)
	long := api.Target("com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents")
	if short := api.Target("CloudTrail_20131101.LookupEvents"); long == nil || short != long {
		t.Errorf("the short target is of %v", short)
	}
	for _, target := range []string{"LookupEvents", "v20131101.CloudTrail_20131101.LookupEvents", "TrentService.LookupEvents"} {
		if m := api.Target(target); m != nil {
			t.Errorf("%s is of %s", target, m.FullMethod)
		}
	}
}

// CloudWatch Logs spells its members with a small first letter, as events do.
func TestMembersAreSpeltAsTheirServiceSpellsThem(t *testing.T) {
	api := compiled(t)
	for target, names := range map[string]string{
		"Logs_20140328.GetLogEvents":                                            "logGroupName logGroupIdentifier logStreamName startTime endTime nextToken limit startFromHead unmask",
		"BaldrApiService.DescribeClusters":                                      "Filters NextToken MaxResults",
		"com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.DescribeTrails": "trailNameList includeShadowTrails",
		"com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents":   "LookupAttributes StartTime EndTime EventCategory MaxResults NextToken",
	} {
		var spelt []string
		for _, f := range api.Target(target).Request.Fields {
			spelt = append(spelt, f.WireName)
			if f.EventName != strings.ToLower(f.WireName[:1])+f.WireName[1:] {
				t.Errorf("%s is %s in events", f.WireName, f.EventName)
			}
		}
		if got := strings.Join(spelt, " "); got != names {
			t.Errorf("%s takes %s, want %s", target, got, names)
		}
	}
}

// Lists of their answers are there even when they are empty: clients do not ask
// whether they are.
func TestTrailAnswersHaveTheirLists(t *testing.T) {
	for _, s := range compiled(t).Services()[2:] {
		for _, m := range s.Methods {
			isList := func(f *describe.Field) bool { return f.List }
			if slices.ContainsFunc(m.Response.Fields, isList) && !m.Response.Page {
				t.Errorf("%s leaves empty lists out", m.Name)
			}
		}
	}
}
