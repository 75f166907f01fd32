// SPDX-License-Identifier: MIT
// Native memory of a Java service: direct buffers and deflaters from eight threads, nine tenths of which go again (see run.py).
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.zip.Deflater;

public class Service {
    public static void main(String[] args) throws Exception {
        List<ByteBuffer> kept = new ArrayList<>();
        List<Thread> threads = new ArrayList<>();
        for (int n = 0; n < 8; n++) {
            Random random = new Random(n);
            Thread thread = new Thread(() -> {
                List<ByteBuffer> own = new ArrayList<>();
                for (int i = 0; i < 2500; i++) {
                    byte[] body = new byte[500 + random.nextInt(20000)];
                    Deflater deflater = new Deflater();
                    deflater.setInput(body);
                    deflater.finish();
                    deflater.deflate(new byte[body.length]);
                    if (i % 3 == 0) {
                        deflater.end();
                    }
                    own.add(ByteBuffer.allocateDirect(body.length).put(body));
                    if (own.size() > 600) {
                        own.remove(random.nextInt(own.size()));
                    }
                }
                synchronized (kept) {
                    for (int i = 0; i < own.size(); i += 10) {
                        kept.add(own.get(i));
                    }
                }
            });
            threads.add(thread);
            thread.start();
        }
        for (Thread thread : threads) {
            thread.join();
        }
        for (int i = 0; i < 4; i++) {
            System.gc();
            Thread.sleep(200);
        }
        System.out.println("done " + kept.size());
        System.in.read();
    }
}
