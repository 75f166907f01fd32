// SPDX-License-Identifier: MIT
// service.cs - native memory of a .NET service: unmanaged buffers and compressed streams from eight threads, nine tenths of
// which go again (see run.py).
using System;
using System.Collections.Generic;
using System.IO;
using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Threading;

static class Service
{
    static void Work(int seed, List<IntPtr> kept)
    {
        var random = new Random(seed);
        var own = new List<IntPtr>();
        for (int i = 0; i < 4000; i++)
        {
            var body = new byte[500 + random.Next(20000)];
            using (var packed = new MemoryStream())
            using (var deflate = new DeflateStream(packed, CompressionLevel.Fastest))
            {
                deflate.Write(body, 0, body.Length);
            }
            IntPtr block = Marshal.AllocHGlobal(body.Length);
            Marshal.Copy(body, 0, block, body.Length);
            own.Add(block);
            if (own.Count > 1000)
            {
                int victim = random.Next(own.Count);
                Marshal.FreeHGlobal(own[victim]);
                own.RemoveAt(victim);
            }
        }
        for (int i = 0; i < own.Count; i++)
        {
            if (i % 10 != 0)
            {
                Marshal.FreeHGlobal(own[i]);
                continue;
            }
            lock (kept)
            {
                kept.Add(own[i]);
            }
        }
    }

    static void Main()
    {
        var kept = new List<IntPtr>();
        var threads = new List<Thread>();
        for (int n = 0; n < 8; n++)
        {
            int seed = n;
            var thread = new Thread(() => Work(seed, kept));
            threads.Add(thread);
            thread.Start();
        }
        threads.ForEach(thread => thread.Join());
        GC.Collect();
        Console.WriteLine("done " + kept.Count);
        Console.In.ReadLine();
    }
}
