/** Adds at random places of 600 MiB of long arrays for ever, and makes some garbage beside it. */
public final class RandomAccess {
    private static final int ARRAYS = 75;
    private static final int LONGS = 1 << 20;

    public static void main(String[] arguments) {
        long[][] arrays = new long[ARRAYS][LONGS];
        java.util.Random chance = new java.util.Random(0);
        System.out.println("ready");
        System.out.flush();
        StringBuilder garbage = new StringBuilder();
        for (long step = 0; ; step++) {
            arrays[chance.nextInt(ARRAYS)][chance.nextInt(LONGS)] += step;
            if (step % 4096 == 0) {
                garbage = new StringBuilder("step ").append(step);
            }
            if (garbage.length() == 0) {
                return;
            }
        }
    }
}
