namespace Akvam.Preload;

/// <summary>The shapes of requests. As the kernel does, the argument is copied in before anything is looked at, and out after everything is done.</summary>
/// <remarks>Valid because only sizes of types are taken.</remarks>
internal static unsafe class Row<TFile>
    where TFile : KvmFile
{
    /// <summary>Takes what was copied in.</summary>
    public delegate void Setter<T>(TFile file, in T value);

    /// <summary>Changes what was copied in, to be copied out.</summary>
    public delegate long Exchanger<T>(TFile file, ref T value);

    /// <summary>The argument is a number, or an address that the handler deals with itself.</summary>
    public static IoctlRow<TFile> Value(uint request, Func<TFile, ulong, long> handle) => new(request, 0, handle);

    public static IoctlRow<TFile> Do(uint request, Action<TFile, ulong> action) => new(request, 0, (file, argument) =>
    {
        action(file, argument);
        return 0;
    });

    public static IoctlRow<TFile> Get<T>(uint request, Func<TFile, T> get)
        where T : unmanaged => new(request, sizeof(T), (file, argument) =>
    {
        T value = get(file);
        file.Client.Write(argument, in value);
        return 0;
    });

    public static IoctlRow<TFile> Set<T>(uint request, Setter<T> set)
        where T : unmanaged => new(request, sizeof(T), (file, argument) =>
    {
        T value = file.Client.Read<T>(argument);
        set(file, in value);
        return 0;
    });

    /// <summary>In, then out again.</summary>
    public static IoctlRow<TFile> Exchange<T>(uint request, Exchanger<T> exchange)
        where T : unmanaged => new(request, sizeof(T), (file, argument) =>
    {
        T value = file.Client.Read<T>(argument);
        long result = exchange(file, ref value);
        file.Client.Write(argument, in value);
        return result;
    });
}
