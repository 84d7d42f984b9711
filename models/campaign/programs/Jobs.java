import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.LongSupplier;

/** Jobs on the JVM: {@code java Jobs JOB SIZE SECONDS}. SIZE: MiB of the array, else thousands of objects. */
final class Jobs {
    private static final int BATCH = 100_000;

    /** Results go here, so that no loop is dropped. */
    private static long sink;

    private static LongSupplier array(int mib) {
        long[] values = new long[mib * 131_072];
        SplittableRandom random = new SplittableRandom(1);
        return () -> {
            for (int i = 0; i < BATCH; i++) {
                sink += values[random.nextInt(values.length)]++;
            }
            return BATCH;
        };
    }

    private static LongSupplier map(int thousands) {
        int count = thousands * 1000;
        Map<Integer, long[]> table = new HashMap<>(count * 2);
        for (int i = 0; i < count; i++) {
            table.put(i * 7919, new long[] {i});
        }
        SplittableRandom random = new SplittableRandom(1);
        return () -> {
            for (int i = 0; i < BATCH; i++) {
                sink += table.get(random.nextInt(count) * 7919)[0];
            }
            return BATCH;
        };
    }

    /** Objects that live for a while: the garbage collector's work. */
    private static LongSupplier churn(int thousands) {
        ArrayDeque<Object[]> alive = new ArrayDeque<>();
        return () -> {
            Object[] rows = new Object[10_000];
            for (int i = 0; i < rows.length; i++) {
                rows[i] = new Object[] {i, "n" + i, new int[8]};
            }
            alive.addLast(rows);
            if (alive.size() > thousands / 10) {
                alive.removeFirst();
            }
            return rows.length;
        };
    }

    public static void main(String[] arguments) {
        int size = Integer.parseInt(arguments[1]);
        double seconds = Double.parseDouble(arguments[2]);
        LongSupplier step =
                switch (arguments[0]) {
                    case "array" -> array(size);
                    case "map" -> map(size);
                    case "churn" -> churn(size);
                    default -> throw new IllegalArgumentException(arguments[0]);
                };
        for (int i = 0; i < 20; i++) {
            step.getAsLong();
        }
        System.out.println("ready");
        long start = System.nanoTime();
        long operations = 0;
        long elapsed;
        do {
            operations += step.getAsLong();
            elapsed = System.nanoTime() - start;
        } while (elapsed < seconds * 1e9);
        System.out.println("value " + (double) elapsed / operations);
    }
}
