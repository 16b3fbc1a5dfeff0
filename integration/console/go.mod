module github.com/strongroom-kms/strongroom/integration/console

go 1.26.0

replace github.com/strongroom-kms/strongroom => ../..

require (
	github.com/chromedp/cdproto v0.159.0
	github.com/chromedp/chromedp v0.23.0
)

require github.com/go-json-experiment/json v1.27.2 // indirect
