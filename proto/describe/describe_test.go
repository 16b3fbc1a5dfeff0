package describe_test

import (
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/strongroom-kms/strongroom/proto/describe"
	cloudhsmv1 "github.com/strongroom-kms/strongroom/proto/strongroom/cloudhsm/v1"
	cloudtrailv1 "github.com/strongroom-kms/strongroom/proto/strongroom/cloudtrail/v1"
	cloudwatchv1 "github.com/strongroom-kms/strongroom/proto/strongroom/cloudwatch/v1"
	kmsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/kms/v1"
	logsv1 "github.com/strongroom-kms/strongroom/proto/strongroom/logs/v1"
	operatorv1 "github.com/strongroom-kms/strongroom/proto/strongroom/operator/v1"
)

const (
	kmsService      = "/strongroom.kms.v1.KeyManagementService/"
	operatorService = "/strongroom.operator.v1.OperatorService/"
)

func kmsDescriptor() protoreflect.ServiceDescriptor {
	return kmsv1.File_strongroom_kms_v1_kms_proto.Services().ByName("KeyManagementService")
}

func operatorDescriptor() protoreflect.ServiceDescriptor {
	return operatorv1.File_strongroom_operator_v1_operator_proto.Services().ByName("OperatorService")
}

// trailDescriptors are the services by which AWS's clients read the trails, and metrics.
func trailDescriptors() []protoreflect.ServiceDescriptor {
	return []protoreflect.ServiceDescriptor{
		cloudtrailv1.File_strongroom_cloudtrail_v1_cloudtrail_proto.Services().ByName("CloudTrailService"),
		logsv1.File_strongroom_logs_v1_logs_proto.Services().ByName("LogsService"),
		cloudhsmv1.File_strongroom_cloudhsm_v1_cloudhsm_proto.Services().ByName("CloudHsmService"),
		cloudwatchv1.File_strongroom_cloudwatch_v1_cloudwatch_proto.Services().ByName("CloudWatchService"),
	}
}

// compiled returns the plans of the real services.
func compiled(t testing.TB) *describe.API {
	t.Helper()
	api, err := describe.Compile(append([]protoreflect.ServiceDescriptor{kmsDescriptor(), operatorDescriptor()}, trailDescriptors()...)...)
	if err != nil {
		t.Fatal(err)
	}
	return api
}

// planOf returns the plan of a message's type.
func planOf(t testing.TB, api *describe.API, msg proto.Message) *describe.Message {
	t.Helper()
	plan := api.Message(msg.ProtoReflect().Descriptor().FullName())
	if plan == nil {
		t.Fatalf("no plan of %T", msg)
	}
	return plan
}

// reachable calls visit with the plan of every message that a method uses.
func reachable(api *describe.API, visit func(*describe.Message)) {
	seen := make(map[*describe.Message]bool)
	var walk func(*describe.Message)
	walk = func(m *describe.Message) {
		if seen[m] {
			return
		}
		seen[m] = true
		visit(m)
		for _, f := range m.Fields {
			if f.Message != nil {
				walk(f.Message)
			}
		}
	}
	for _, s := range api.Services() {
		for _, m := range s.Methods {
			walk(m.Request)
			walk(m.Response)
		}
	}
}
