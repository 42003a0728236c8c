using Akvam.Cli.Bench;

namespace Akvam.Tests.Guests;

/// <summary>The benchmark guests, built once for all tests of this folder.</summary>
public sealed class BuiltGuests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("akvam-guests-").FullName;

    public BuiltGuests() => Guests = BenchGuests.Build(_folder);

    internal BenchGuests Guests { get; }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
