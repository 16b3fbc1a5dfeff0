package console

import "testing"

func TestValuesAsPeopleReadThem(t *testing.T) {
	for _, test := range []struct {
		value      float64
		unit, want string
	}{
		{0, "Count", "0"}, {1234567, "Count", "1,234,567"}, {-1234, "Count", "-1,234"}, {1.5, "Count", "1.5"}, {0.12345, "None", "0.123"},
		{1023, "Bytes", "1023 bytes"}, {1536, "Bytes", "1.5 KiB"}, {3 << 30, "Bytes", "3.0 GiB"}, {1 << 60, "Bytes", "1048576.0 TiB"},
		{0, "Seconds", "0 s"}, {0.0000251, "Seconds", "25 µs"}, {0.0123, "Seconds", "12.3 ms"}, {61, "Seconds", "61 s"},
		{12.34, "Milliseconds", "12.3 ms"}, {86234.5, "Count", "86,235"}, {12.34, "Percent", "12.3 %"},
	} {
		if got := figure(test.value, test.unit); got != test.want {
			t.Errorf("%v %s is %q, want %q", test.value, test.unit, got, test.want)
		}
	}
}

func TestWordsForARNs(t *testing.T) {
	for arn, want := range map[string]string{
		"arn:aws:iam::000000000000:user/alice":          "user/alice",
		"arn:aws:sts::000000000000:assumed-role/team/s": "assumed-role/team/s",
		"AWS Internal": "AWS Internal",
		"":             "",
	} {
		if got := shortPrincipal(arn); got != want {
			t.Errorf("%q is %q", arn, got)
		}
	}
	for arn, want := range map[string]string{
		"arn:aws:kms:eu-west-1:000000000000:key/11-22":         "/keys/11-22?region=eu-west-1",
		"arn:aws:kms:eu-west-1:000000000000:key/../../x?y":     "/keys/..%2F..%2Fx%3Fy?region=eu-west-1",
		"arn:aws:kms:eu-west-1:000000000000:alias/key/x":       "",
		"arn:aws:cloudtrail:eu-west-1:000000000000:trail/key/": "",
		"key/1": "",
	} {
		if got := keyPageOf(arn); got != want {
			t.Errorf("the page of %q is %q, want %q", arn, got, want)
		}
	}
}
