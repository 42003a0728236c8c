using Akvam.Cpu;

namespace Akvam.Isa.Tests;

/// <summary>The engine of tests that do not ask for one. <c>./akvam test</c> runs them on both.</summary>
internal static class TestEngine
{
    public static EngineKind Default { get; } =
        Enum.TryParse(Environment.GetEnvironmentVariable("AKVAM_ENGINE"), ignoreCase: true, out EngineKind engine) ? engine : EngineKind.Interpreter;

    /// <summary>AKVAM_TEST_CACHES=N: so many times less room for code than there is by default.</summary>
    public static CodeCacheSizes Caches { get; } = int.TryParse(Environment.GetEnvironmentVariable("AKVAM_TEST_CACHES"), out int by) ? CodeCacheSizes.DividedBy(by) : new();
}
