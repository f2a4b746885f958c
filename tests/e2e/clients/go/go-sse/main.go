// Runs `watch`, which is in docs/clients.md and comes beside this file.
package main

import (
	"fmt"
	"os"

	"github.com/tmaxmax/go-sse"
)

func main() {
	watch(os.Args[1], func(event sse.Event) {
		fmt.Printf("%s\t%s\t%s\n", event.Type, event.LastEventID, event.Data)
	})
}
