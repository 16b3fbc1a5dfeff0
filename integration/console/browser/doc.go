// Package browser drives Chromium, without a window, for tests of web pages.
//
// A [Page] is a tab of its own, without the cookies of others. It writes down all that a
// person would find in the developer tools and that a good page has none of: errors and
// warnings in the console, exceptions, violations of the content security policy, requests
// that failed, and requests to another host than that of the page. At the end of the test
// each of them is an error, but for those that the test has said to expect. The browser
// itself is run so that it can reach no host but this one.
//
// What a test waits for is a condition on the document, which is looked at whenever the
// document changes.
package browser
