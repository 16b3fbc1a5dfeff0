package sigv4

import (
	"net/http"
	"time"
)

// maxSkew is how far the clocks of client and server may be apart, either way.
const maxSkew = 5 * time.Minute

// basicFormat is ISO 8601's basic format, of which the first eight digits are the
// date of the credential's scope.
const basicFormat = "20060102T150405Z"

// signingTime returns when a request says that it was signed, in basicFormat.
func signingTime(h http.Header, now time.Time) (string, error) {
	text := h.Get("X-Amz-Date")
	if text == "" {
		text = fromHTTPDate(h.Get("Date"))
	}
	at, err := time.Parse(basicFormat, text)
	if err != nil || len(text) != len(basicFormat) { // Parse allows fractions of a second.
		return "", incomplete("Date must be in ISO-8601 'basic format'. Got '" + text + "'. See http://en.wikipedia.org/wiki/ISO_8601")
	}
	return text, checkSkew(at, now.UTC().Truncate(time.Second))
}

// fromHTTPDate returns the basic format of a Date header, which may have that of
// HTTP. Another text is returned as it is.
func fromHTTPDate(text string) string {
	at, err := http.ParseTime(text)
	if err != nil {
		return text
	}
	return at.UTC().Format(basicFormat)
}

func checkSkew(at, now time.Time) error {
	if least := now.Add(-maxSkew); at.Before(least) {
		return invalid("Signature expired: " + at.Format(basicFormat) + " is now earlier than " +
			least.Format(basicFormat) + " (" + now.Format(basicFormat) + " - 5 min.)")
	}
	if most := now.Add(maxSkew); at.After(most) {
		return invalid("Signature not yet current: " + at.Format(basicFormat) + " is still later than " +
			most.Format(basicFormat) + " (" + now.Format(basicFormat) + " + 5 min.)")
	}
	return nil
}
