// SPDX-License-Identifier: MIT

// A cache in C's heap, outside of Go's garbage collector: blocks of all sizes from eight goroutines, nine tenths of which go
// again (see run.py). Go's own heap is none of malloc's: only C.malloc and C libraries gain by another one.
package main

/*
#include <stdlib.h>
#include <string.h>
*/
import "C"

import (
	"bufio"
	"fmt"
	"os"
	"sync"
	"unsafe"
)

func main() {
	const slots = 60000
	var cache [slots]unsafe.Pointer
	var locks [64]sync.Mutex
	var group sync.WaitGroup
	for n := 0; n < 8; n++ {
		group.Add(1)
		go func(random uint32) {
			defer group.Done()
			for i := 0; i < 60000; i++ {
				random = random*1664525 + 1013904223
				size, slot := C.size_t(16+random>>8%3000), random%slots
				block := C.malloc(size)
				C.memset(block, C.int(i), size)
				lock := &locks[slot%64]
				lock.Lock()
				block, cache[slot] = cache[slot], block
				lock.Unlock()
				C.free(block)
			}
		}(uint32(n))
	}
	group.Wait()
	kept := 0
	for slot := range cache {
		if slot%10 != 0 {
			C.free(cache[slot])
		} else {
			kept++
		}
	}
	fmt.Println("done", kept)
	bufio.NewReader(os.Stdin).ReadString('\n')
}
