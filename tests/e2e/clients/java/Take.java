/** Runs `Watch`, which is in docs/clients.md. */
class Take {
    static void take(String id, String type, String data) {
        System.out.println(type + "\t" + id + "\t" + data);
    }

    public static void main(String[] arguments) throws InterruptedException {
        new Watch().watch(arguments[0]);
    }
}
