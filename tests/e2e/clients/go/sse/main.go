// Runs `watch`, which is in docs/clients.md and comes beside this file.
package main

import (
	"fmt"
	"os"

	"github.com/r3labs/sse/v2"
)

func main() {
	watch(os.Args[1], func(event *sse.Event) {
		fmt.Printf("%s\t%s\t%s\n", event.Event, event.ID, event.Data)
	})
}
